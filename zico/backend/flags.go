package backend

import "os"

// cpuFlags are the XLA_FLAGS that Open sets on the CPU where the user has set none. They change how kernels are compiled and not what they compute: the comparison with the reference passes with them as without. They suit many small kernels: compiling those of a NAS-Bench-201 network takes 3.8 s of processor time in place of 5.0, the first score of a process 2.8 to 4.4 s in place of 3.5 to 4.8, and the kernels run as fast. A whole network as one graph (ScoreModel) compiles slower with them, 3.7 to 6.1 s in place of 2.0 to 2.6; set XLA_FLAGS to the empty string for those.
const cpuFlags = "--xla_backend_extra_options=xla_cpu_disable_new_fusion_emitters,xla_cpu_disable_slp_vectorizer"

// setFlags sets the flags for the whole process: XLA reads them once, when it first compiles.
func setFlags(platform string) error {
	if _, ok := os.LookupEnv("XLA_FLAGS"); ok || platform != "cpu" {
		return nil
	}
	return os.Setenv("XLA_FLAGS", cpuFlags)
}
