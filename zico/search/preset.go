package search

import (
	"fmt"
	"strings"
)

// Preset is a setting of a search with proxies that run networks.
type Preset struct {
	Name, Doc string
	Images    string // as images.Open takes it; empty where the user has to name them
	Size      int    // height and width of the images, pixels
	Batch     int    // images in a batch
	Batches   int
	Method    string
	Fresh     bool // as Config.Fresh
	// Iterations and Evaluations are where the run ends; 0 for no limit.
	Iterations, Evaluations int
}

var presets = []Preset{
	{
		Name: "quick", Doc: "a real search in minutes on two processors: photographs in the program at 64 pixels, 2 batches of 16, 2,000 evaluations by an evolution of small steps",
		Images: "embedded", Size: 64, Batch: 16, Batches: 2, Method: "evolution:population=8", Evaluations: 2000,
	},
	{
		Name: "paper", Doc: "the search of the ZiCo paper: ImageNet at 224 pixels, 2 batches of 128, 100,000 iterations of its code's evolution, weights of its own for each candidate",
		Size: 224, Batch: 128, Batches: 2, Method: "zico", Fresh: true, Iterations: 100_000,
	},
}

// Presets lists the presets.
func Presets() []Preset { return presets }

// FindPreset returns the preset of a name.
func FindPreset(name string) (Preset, error) {
	var known []string
	for _, p := range presets {
		if p.Name == name {
			return p, nil
		}
		known = append(known, p.Name)
	}
	return Preset{}, fmt.Errorf("search: unknown preset %q; there are %s", name, strings.Join(known, ", "))
}
