package masternet

import (
	"fmt"
	"math"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// basicOp is the kind of a basic block.
type basicOp uint8

const (
	convKX basicOp = iota
	convDW
	bn
	relu
	se
	residual
)

// basic is one of the basic blocks that a super block expands to. bn, relu and se read out only.
type basic struct {
	op              basicOp
	in, out         int // channels
	kernel, stride  int
	inner           []basic // residual: the path around which the link goes
	alwaysProjected bool    // residual: the reference's ResBlockProj
}

// projects reports whether the link of a residual block is a convolution, as where the shapes differ, or the identity.
func (l basic) projects() bool { return l.alwaysProjected || l.stride > 1 || l.in != l.out }

// squeezed is the number of channels between the two convolutions of squeeze and excitation on c channels.
func squeezed(c int) int { return max(1, int(math.RoundToEven(float64(c)/4))) }

// expand lists the basic blocks that a super block stands for.
func (b block) expand(reslink, withSE bool) []basic {
	var list []basic
	conv := func(in, out, kernel, stride int) []basic {
		return []basic{{op: convKX, in: in, out: out, kernel: kernel, stride: stride}, {op: bn, out: out}, {op: relu, out: out}}
	}
	in, stride := b.in, b.stride
	if b.family == plainConv {
		for range b.layers {
			list = append(list, conv(in, b.out, b.kernel, stride)...)
			in, stride = b.out, 1
		}
		return list
	}
	// part is one residual path, without the ReLU of its last convolution: the link is added before it.
	part := func(out int, forced bool, inner ...[]basic) {
		var path []basic
		for i, p := range inner {
			if withSE && i == len(inner)-1 {
				path = append(path, basic{op: se, out: path[len(path)-1].out})
			}
			path = append(path, p...)
		}
		path = path[:len(path)-1]
		if reslink {
			path = []basic{{op: residual, in: in, out: out, stride: stride, inner: path, alwaysProjected: forced}}
		}
		// The reference's ReLU names the block's channels after a half that has the bottleneck's; nothing reads them but its print.
		list = append(append(list, path...), basic{op: relu, out: b.out})
		in, stride = out, 1
	}
	depthwise := func(c, stride int) []basic {
		return []basic{{op: convDW, in: c, out: c, kernel: b.kernel, stride: stride}, {op: bn, out: c}, {op: relu, out: c}}
	}
	for j := range b.layers {
		switch b.family {
		case invertedDW:
			h := round8(float64(b.mid * b.expansion))
			part(b.mid, j == 0, conv(in, h, 1, 1), depthwise(h, stride), conv(h, b.mid, 1, 1))
			h = round8(float64(b.out * b.expansion))
			part(b.out, false, conv(in, h, 1, 1), depthwise(h, stride), conv(h, b.out, 1, 1))
		case bottleneck:
			for half := range 2 {
				part(b.out, j == 0 && half == 0, conv(in, b.mid, 1, 1), conv(b.mid, b.mid, b.kernel, stride), conv(b.mid, b.out, 1, 1))
			}
		case basicPair:
			part(b.out, j == 0, conv(in, b.mid, b.kernel, stride), conv(b.mid, b.out, b.kernel, 1))
		}
	}
	return list
}

// Expand writes a canonical architecture as the reference writes what its super blocks stand for: ConvKX(in,out,kernel,stride), ConvDW(channels,kernel,stride), BN, RELU, SE and, with residual links, ResBlock(in,stride,...) and ResBlockProj. It fails as Network does for what is no canonical architecture.
func (s Space) Expand(a spaces.Arch) (string, error) {
	chain, err := s.chain(a)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, bl := range chain {
		write(&b, bl.expand(s.ResLink, s.SE))
	}
	return b.String(), nil
}

func write(b *strings.Builder, list []basic) {
	for _, l := range list {
		switch l.op {
		case convKX:
			fmt.Fprintf(b, "ConvKX(%d,%d,%d,%d)", l.in, l.out, l.kernel, l.stride)
		case convDW:
			fmt.Fprintf(b, "ConvDW(%d,%d,%d)", l.out, l.kernel, l.stride)
		case bn:
			fmt.Fprintf(b, "BN(%d)", l.out)
		case relu:
			fmt.Fprintf(b, "RELU(%d)", l.out)
		case se:
			fmt.Fprintf(b, "SE(%d)", l.out)
		case residual:
			name := "ResBlock"
			if l.alwaysProjected {
				name = "ResBlockProj"
			}
			fmt.Fprintf(b, "%s(%d,%d,", name, l.in, l.stride)
			write(b, l.inner)
			b.WriteByte(')')
		}
	}
}
