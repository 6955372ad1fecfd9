package transnas

import "github.com/zeroshotnas/zeroshot/spaces"

// Task is a task of the benchmark and what a Network of this package is to it.
type Task struct {
	Name  string       // as in the benchmark's files
	Input spaces.Input // image size and number of outputs that its configuration sets
	// Exact says that the Network for Input is the benchmark's own network, layer by layer, and cross-entropy its loss (but for soft labels, and 1e-5 that the benchmark adds inside the logarithm).
	// Elsewhere the backbone is the benchmark's, exactly, and the classifier behind it a stand-in for Head: a score then says something of the backbone, and is not that of the task's own network.
	Exact bool
	Head  string // what the benchmark has behind the backbone, and its loss
}

// Tasks lists the seven tasks in the benchmark's order (yawen-d/TransNASBench, configs/train_from_scratch and lib/models/task_models).
var Tasks = []Task{
	{"class_scene", spaces.Input{Size: 256, Classes: 47}, true, "global pooling and a linear layer; cross-entropy with soft labels"},
	{"class_object", spaces.Input{Size: 256, Classes: 75}, true, "global pooling and a linear layer; cross-entropy with soft labels"},
	{"room_layout", spaces.Input{Size: 256, Classes: 9}, false, "global pooling and a linear layer, as in Network; mean squared error"},
	{"jigsaw", spaces.Input{Size: 64, Classes: 1000}, false, "the backbone on nine tiles with the same weights, their channels side by side, global pooling and a linear layer; cross-entropy"},
	{"segmentsemantic", spaces.Input{Size: 256, Classes: 17}, false, "a decoder of convolutions and transposed convolutions with leaky rectifiers; cross-entropy of each pixel"},
	{"normal", spaces.Input{Size: 256, Classes: 3}, false, "a decoder of convolutions and transposed convolutions with leaky rectifiers and tanh; absolute error and a discriminator"},
	{"autoencoder", spaces.Input{Size: 256, Classes: 3}, false, "a decoder of convolutions and transposed convolutions with leaky rectifiers and tanh; absolute error and a discriminator"},
}
