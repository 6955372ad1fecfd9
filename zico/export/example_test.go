package export_test

import (
	"fmt"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/export"
)

// A network of one's own as a PyTorch module.
func ExamplePyTorch() {
	b := net.NewBuilder("mine", net.Shape{C: 3, H: 32, W: 32})
	x := b.ReLU(b.BatchNorm("stem.1", b.Conv("stem.0", 0, 8, 3, 2), 0))
	y := b.ReLU(b.BatchNorm("block.1", b.Depthwise("block.0", x, 3, 1), 0))
	n, err := b.Network(b.Head("classifier", b.Sum(x, y), 10))
	if err != nil {
		fmt.Println(err)
		return
	}
	source, err := export.PyTorch(n, export.About{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, class, _ := strings.Cut(source, "as F\n\n\n")
	class, _, _ = strings.Cut(class, "\n\n\nif")
	fmt.Println(class)
	// Output:
	// class Network(nn.Module):
	//     def __init__(self, num_classes=10):
	//         super().__init__()
	//         # stem
	//         self.stem_0 = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
	//         self.stem_1 = nn.BatchNorm2d(8)
	//         # block
	//         self.block_0 = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
	//         self.block_1 = nn.BatchNorm2d(8)
	//         # classifier
	//         self.classifier = nn.Linear(8, num_classes)
	//
	//     def forward(self, x):
	//         # stem
	//         x = F.relu(self.stem_1(self.stem_0(x)))
	//         # block
	//         y = F.relu(self.block_1(self.block_0(x)))
	//         # classifier
	//         return self.classifier((x + y).mean((2, 3)))
}
