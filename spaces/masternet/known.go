package masternet

import (
	"slices"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// Structure is an architecture that has a name.
type Structure struct {
	Name string // what Parse takes for it
	Arch spaces.Arch
	Doc  string // what it is and where it comes from
}

// known has the initial structure first.
var known = []Structure{
	{"initial", "SuperConvK3BNRELU(3,8,2,1)SuperResIDWE6K3(8,32,2,8,1)SuperResIDWE6K3(32,48,2,32,1)SuperResIDWE6K3(48,96,2,48,1)SuperResIDWE6K3(96,128,2,96,1)SuperConvK1BNRELU(128,2048,1,1)", "the structure that every search of the ZiCo paper starts from (init_plainnet.txt in the scripts of SLDGroup/ZiCo)"},
	{"zico_450M", "SuperConvK3BNRELU(3,16,2,1)SuperResIDWE1K7(16,40,2,40,1)SuperResIDWE2K7(40,80,2,64,1)SuperResIDWE4K7(80,96,2,96,5)SuperResIDWE2K7(96,224,2,224,5)SuperConvK1BNRELU(224,2048,1,1)", "found with ZiCo under 450M FLOPs (SLDGroup/ZiCo)"},
	{"zico_600M", "SuperConvK3BNRELU(3,24,2,1)SuperResIDWE1K7(24,48,2,48,1)SuperResIDWE2K7(48,72,2,72,1)SuperResIDWE6K5(72,160,2,96,1)SuperResIDWE6K7(160,200,2,112,5)SuperResIDWE6K7(200,168,1,168,4)SuperConvK1BNRELU(168,2048,1,1)", "found with ZiCo under 600M FLOPs (SLDGroup/ZiCo)"},
	{"zico_1G", "SuperConvK3BNRELU(3,48,2,1)SuperResIDWE1K7(48,48,2,72,1)SuperResIDWE1K7(48,80,2,128,1)SuperResIDWE2K7(80,160,2,144,3)SuperResIDWE4K7(160,288,2,232,4)SuperResIDWE6K5(288,232,1,208,5)SuperConvK1BNRELU(232,2048,1,1)", "found with ZiCo under 1G FLOPs (SLDGroup/ZiCo)"},
	{"params_450M", "SuperConvK3BNRELU(3,8,2,1)SuperResIDWE1K3(8,8,2,8,1)SuperResIDWE1K3(8,8,2,8,1)SuperResIDWE1K5(8,64,2,8,1)SuperResIDWE6K5(64,1024,2,48,1)SuperConvK1BNRELU(1024,2048,1,1)", "found with the number of parameters as the proxy, under 450M FLOPs (SLDGroup/ZiCo)"},
}

// Known lists the structures that Parse knows by name: the initial one first, then those that the ZiCo paper's searches found.
func Known() []Structure { return slices.Clone(known) }

// knownNames is the list of names for messages.
func knownNames() string {
	var names []string
	for _, k := range known {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}
