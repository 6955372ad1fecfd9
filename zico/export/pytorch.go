package export

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// PyTorch is the source of a Python module with the network as a torch.nn.Module; it imports nothing but torch. Run as a program it builds the network, runs a batch forwards and backwards, and prints the number of parameters.
//
// The class Network has an attribute for each layer with parameters, in the order of n.Nodes, named as its node with underscores for dots and each word once: node "cells.0.layers.1.op.1" has the weight "cells_0_layers_1_op_1.weight" in the state dict (JSON lists the attributes, should a name be in doubt). So list(model.state_dict()) is, node by node, weight and bias (where there is one) of a convolution or linear layer, and weight, bias, running_mean, running_var and num_batches_tracked of a batch norm. Shapes are those of net.Network.WeightShape. A new Network has PyTorch's default initialisation, which is the distribution that scores draw from; the weights of a score themselves are those of package formula, whose order is PyTorch's.
//
// Layers that do not reach the output are made, so that parameters are counted as everywhere, but not run; terms of a sum that are zeros are left out.
//
// PyTorch fails for an invalid network.
func PyTorch(n *net.Network, about About) (string, error) {
	if err := n.Validate(); err != nil {
		return "", fmt.Errorf("export: %w", err)
	}
	w := newPythonWriter(n)
	w.header(about)
	w.constructor()
	w.forward()
	fmt.Fprintf(&w.text, `

if __name__ == "__main__":
    model = Network()
    images = torch.randn(2, %d, %d, %d)
    logits = model(images)
    logits.sum().backward()
    print("logits", list(logits.shape))
    print("parameters", sum(p.numel() for p in model.parameters()))
`, n.Input.C, n.Input.H, n.Input.W)
	return w.text.String(), nil
}

// taken are names that attributes of a torch.nn.Module must not have: Python's keywords and the module's own methods and attributes of one word. Names of more words get no clash from dotted paths in practice, but are refused as well.
var taken = strings.Fields(`
False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield
add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict modules named_buffers named_children named_modules named_parameters parameters register_backward_hook register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook register_module register_parameter register_state_dict_pre_hook requires_grad_ set_extra_state share_memory state_dict to to_empty train training type xpu zero_grad self`)

// moduleNames gives each node with parameters its attribute's name, "" for the others.
func moduleNames(n *net.Network) []string {
	names := make([]string, len(n.Nodes))
	seen := map[string]bool{}
	for _, t := range taken {
		seen[t] = true
	}
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		if !nd.Op.HasWeights() && nd.Op != net.BatchNorm {
			continue
		}
		name := strings.Map(func(r rune) rune {
			if r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
				return r
			}
			return '_'
		}, once(nd.Name))
		if name = strings.TrimLeft(name, "_"); name == "" || name[0] <= '9' { // leading underscores are Python's own business
			name = nd.Op.String() + "_" + name
		}
		unique := name
		for k := 2; seen[unique]; k++ {
			unique = fmt.Sprintf("%s_%d", strings.TrimRight(name, "_"), k)
		}
		seen[unique] = true
		names[i] = unique
	}
	return names
}

// once leaves out the words of a dotted name that it has had already: "module_list.1.module_list.0.netblock" is "module_list.1.0.netblock". Numbers stay.
func once(name string) string {
	var kept []string
	for part := range strings.SplitSeq(name, ".") {
		if _, err := strconv.Atoi(part); err == nil || !slices.Contains(kept, part) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ".")
}

// pythonWriter writes the module of a network.
type pythonWriter struct {
	net     *net.Network
	modules []string // attribute of each node
	in      [][]int  // inputs of each node, without what changes nothing
	output  int      // node that makes what is returned
	live    []bool   // nodes that the output depends on
	readers [][]int  // live nodes that read each node, once for each time that they do
	text    strings.Builder
}

func newPythonWriter(n *net.Network) *pythonWriter {
	nodes := len(n.Nodes)
	w := &pythonWriter{net: n, modules: moduleNames(n), in: make([][]int, nodes), live: make([]bool, nodes), readers: make([][]int, nodes)}
	// A sum leaves out the zeros among its terms, and a sum of one term is that term.
	stands := make([]int, nodes) // node that has the value of each
	for i := range n.Nodes {
		stands[i] = i
		nd := &n.Nodes[i]
		for _, j := range nd.In {
			w.in[i] = append(w.in[i], stands[j])
		}
		if nd.Op != net.Add {
			continue
		}
		terms := slices.DeleteFunc(slices.Clone(w.in[i]), func(j int) bool { return n.Nodes[j].Op == net.Zero })
		if len(terms) == 0 {
			terms = w.in[i][:1]
		}
		if w.in[i] = terms; len(terms) == 1 {
			stands[i] = terms[0]
		}
	}
	w.output = stands[n.Output]
	w.live[w.output] = true
	for i := w.output; i > 0; i-- {
		if w.live[i] {
			for _, j := range w.in[i] {
				w.live[j] = true
				w.readers[j] = append(w.readers[j], i)
			}
		}
	}
	return w
}

// header writes the docstring and the imports.
func (w *pythonWriter) header(about About) {
	n := w.net
	fmt.Fprintf(&w.text, "\"\"\"A network found by zeroshot (github.com/zeroshotnas/zeroshot), for training with PyTorch.\n\n")
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&w.text, "%-14s%s\n", name+":", inDocstring(fmt.Sprintf(format, args...)))
	}
	if about.Space != nil {
		line("space", "%s", about.Space.Name())
	}
	if about.Arch != "" {
		line("architecture", "%s", about.Arch)
	}
	if about.Score != nil {
		line("score", "%g (%s)", *about.Score, about.proxy())
	}
	line("input", "[batch, %d, %d, %d], normalised images", n.Input.C, n.Input.H, n.Input.W)
	line("output", "[batch, %d], logits", n.Classes)
	line("parameters", "%d", net.Params(n))
	for _, c := range net.Conventions() {
		line(c.String(), "%d", net.FLOPs(n, c))
	}
	_, gone := net.Prune(n)
	var dead []string
	for i := range n.Nodes {
		if nd := &n.Nodes[i]; nd.Op.HasWeights() && slices.Contains(gone, nd.Layer) {
			dead = append(dead, w.modules[i])
		}
	}
	if len(dead) > 0 {
		w.text.WriteString("\nThe architecture has layers that no gradient reaches, which count as parameters and learn nothing:\n")
		for _, name := range dead {
			fmt.Fprintf(&w.text, "    %s\n", name)
		}
	}
	for i := range n.Nodes {
		if w.modules[i] != "" && !w.live[i] {
			w.text.WriteString("\nSome are not even used, and torch's DistributedDataParallel wants find_unused_parameters=True for that.\n")
			break
		}
	}
	w.text.WriteString("\"\"\"\n\nimport torch\nfrom torch import nn\nfrom torch.nn import functional as F\n")
}

// inDocstring makes text safe between triple quotes, on one line.
func inDocstring(s string) string {
	return strings.NewReplacer("\\", "\\\\", `"`, `\"`, "\n", " ", "\r", " ").Replace(s)
}

// classifier reports whether node i is the layer whose outputs are the classes.
func (w *pythonWriter) classifier(i int) bool {
	return i == w.output && w.net.Nodes[i].Op == net.Linear
}

// constructor writes the class up to its attributes.
func (w *pythonWriter) constructor() {
	n := w.net
	fmt.Fprintf(&w.text, "\n\nclass Network(nn.Module):\n    def __init__(self, num_classes=%d):\n        super().__init__()\n", n.Classes)
	if !w.classifier(w.output) {
		fmt.Fprintf(&w.text, "        if num_classes != %d:\n            raise ValueError(\"the network ends in no linear layer that could be made for other than %d classes\")\n", n.Classes, n.Classes)
	}
	last := ""
	for i := range n.Nodes {
		if w.modules[i] == "" {
			continue
		}
		if g := group(n.Nodes[i].Name); g != last {
			last = g
			fmt.Fprintf(&w.text, "        # %s\n", comment(g))
		}
		unused := ""
		if !w.live[i] {
			unused = "  # not used: reaches no output"
		}
		fmt.Fprintf(&w.text, "        self.%s = %s%s\n", w.modules[i], w.module(i), unused)
	}
}

// group is the part of the network that a module belongs to: the first component of its name, with a number that follows.
func group(name string) string {
	parts := strings.Split(name, ".")
	if len(parts) > 2 {
		if _, err := strconv.Atoi(parts[1]); err == nil {
			return parts[0] + "." + parts[1]
		}
	}
	return parts[0]
}

// comment makes text safe behind a #.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
}

// module is the expression that makes the module of node i.
func (w *pythonWriter) module(i int) string {
	nd := &w.net.Nodes[i]
	in := w.net.Nodes[nd.In[0]].Shape.C
	var args []string
	add := func(format string, v ...any) { args = append(args, fmt.Sprintf(format, v...)) }
	name := "BatchNorm2d"
	switch nd.Op {
	case net.Conv:
		name = "Conv2d"
		add("%d, %d, %d", in, nd.Out, nd.Kernel)
		if nd.Stride != 1 {
			add("stride=%d", nd.Stride)
		}
		if nd.Pad != 0 {
			add("padding=%d", nd.Pad)
		}
		if nd.Dilation > 1 {
			add("dilation=%d", nd.Dilation)
		}
		if nd.Groups != 1 {
			add("groups=%d", nd.Groups)
		}
		if !nd.Bias {
			add("bias=False")
		}
	case net.Linear:
		name = "Linear"
		if w.classifier(i) {
			add("%d, num_classes", in)
		} else {
			add("%d, %d", in, nd.Out)
		}
		if !nd.Bias {
			add("bias=False")
		}
	case net.BatchNorm:
		add("%d", in)
		if nd.Eps != 1e-5 {
			add("eps=%v", nd.Eps)
		}
		if m := momentum(nd); m != 0.1 {
			add("momentum=%v", m)
		}
	}
	return fmt.Sprintf("nn.%s(%s)", name, strings.Join(args, ", "))
}

// value is an expression of a node's output.
type value struct {
	text  string
	depth int    // calls inside one another
	reads []int  // nodes whose variables it reads
	group string // part of the network that its first module belongs to
	flat  bool   // [batch, features] instead of [batch, features, 1, 1]
}

const (
	maxDepth = 3   // calls in a line: convolution, batch norm and rectifier belong together
	maxWidth = 100 // columns of a line
)

// statement sets the variable of a node.
type statement struct {
	node int
	value
}

// forward writes the method. Nodes that one other reads go into its line where that stays readable; a variable's name is taken again as soon as nobody reads it any more, so that the main path is mostly x.
func (w *pythonWriter) forward() {
	n := w.net
	var lines []statement
	values := make([]value, len(n.Nodes)) // text has a placeholder for each variable
	values[0] = value{text: placeholder(0), reads: []int{0}}
	for i := 1; i <= w.output; i++ {
		if !w.live[i] {
			continue
		}
		v := w.express(i, values)
		if !w.inlined(i, v) {
			lines = append(lines, statement{i, v})
			v = value{text: placeholder(i), reads: []int{i}, flat: v.flat}
		}
		values[i] = v
	}

	last := map[int]int{} // line that reads a node last
	for k, l := range lines {
		for _, j := range l.reads {
			last[j] = k
		}
	}
	w.text.WriteString("\n    def forward(self, x):\n")
	if len(lines) == 0 { // the image itself, of one pixel
		w.text.WriteString("        return x.flatten(1)\n")
		return
	}
	names := map[int]string{0: "x"} // variable of each live node
	shown := ""
	for k, l := range lines {
		text := l.text
		for _, j := range l.reads {
			text = strings.ReplaceAll(text, placeholder(j), names[j])
		}
		for _, j := range l.reads {
			if last[j] == k {
				delete(names, j)
			}
		}
		name := free(names)
		names[l.node] = name
		if l.group != "" && l.group != shown {
			shown = l.group
			fmt.Fprintf(&w.text, "        # %s\n", comment(shown))
		}
		if k == len(lines)-1 {
			if !l.flat {
				text += ".flatten(1)"
			}
			fmt.Fprintf(&w.text, "        return %s\n", text)
			return
		}
		fmt.Fprintf(&w.text, "        %s = %s\n", name, text)
	}
}

// placeholder stands for the variable of a node until it has a name.
func placeholder(node int) string { return fmt.Sprintf("<%d>", node) }

// free is the first name of a variable that no live node has.
func free(names map[int]string) string {
	used := map[string]bool{}
	for _, name := range names {
		used[name] = true
	}
	for _, name := range strings.Fields("x y z u v w") {
		if !used[name] {
			return name
		}
	}
	for k := 1; ; k++ {
		if name := fmt.Sprintf("v%d", k); !used[name] {
			return name
		}
	}
}

// inlined reports whether the expression of node i goes into the line of its reader.
func (w *pythonWriter) inlined(i int, v value) bool {
	if len(w.readers[i]) != 1 || v.depth >= maxDepth {
		return false
	}
	reader := w.readers[i][0]
	switch nd := &w.net.Nodes[reader]; nd.Op {
	case net.Add, net.Concat, net.Gate:
		return false // their inputs are written as variables
	case net.Zero, net.Shift:
		return false
	}
	const indent, around = 12, 12 // "        x = ", and "self." with parentheses
	return indent+len(v.text)+len(w.modules[reader])+around <= maxWidth
}

// express is node i's output as an expression of its inputs'.
func (w *pythonWriter) express(i int, values []value) value {
	n := w.net
	nd := &n.Nodes[i]
	in := make([]string, len(w.in[i]))
	var out value
	for k, j := range w.in[i] {
		in[k] = values[j].text
		out.depth = max(out.depth, values[j].depth)
		if out.group == "" {
			out.group = values[j].group
		}
		for _, r := range values[j].reads {
			if !slices.Contains(out.reads, r) {
				out.reads = append(out.reads, r)
			}
		}
	}
	out.depth++
	if out.group == "" && w.modules[i] != "" {
		out.group = group(nd.Name)
	}
	call := func(format string, args ...any) { out.text = fmt.Sprintf(format, args...) }
	// postfix makes an expression something that an operator of higher precedence can follow.
	postfix := func(s string) string {
		if strings.Contains(s, " + ") || strings.Contains(s, " * ") {
			return "(" + s + ")"
		}
		return s
	}
	onlyLinear := true
	for _, r := range w.readers[i] {
		onlyLinear = onlyLinear && n.Nodes[r].Op == net.Linear
	}
	switch nd.Op {
	case net.Conv, net.BatchNorm:
		call("self.%s(%s)", w.modules[i], in[0])
	case net.Linear:
		if !values[w.in[i][0]].flat {
			in[0] = postfix(in[0]) + ".flatten(1)"
		}
		call("self.%s(%s)", w.modules[i], in[0])
		out.flat = onlyLinear
		if !onlyLinear {
			out.text += "[:, :, None, None]"
		}
	case net.ReLU:
		call("F.relu(%s)", in[0])
	case net.AvgPool:
		args := fmt.Sprintf("%d, stride=%d", nd.Kernel, nd.Stride)
		if nd.Pad != 0 {
			args += fmt.Sprintf(", padding=%d", nd.Pad)
			if !nd.CountPad {
				args += ", count_include_pad=False"
			}
		}
		call("F.avg_pool2d(%s, %s)", in[0], args)
	case net.MaxPool:
		args := fmt.Sprintf("%d, stride=%d", nd.Kernel, nd.Stride)
		if nd.Pad != 0 {
			args += fmt.Sprintf(", padding=%d", nd.Pad)
		}
		call("F.max_pool2d(%s, %s)", in[0], args)
	case net.GlobalAvgPool:
		if onlyLinear {
			call("%s.mean((2, 3))", postfix(in[0]))
			out.flat = true
		} else {
			call("%s.mean((2, 3), keepdim=True)", postfix(in[0]))
		}
	case net.Add:
		call("%s", strings.Join(in, " + "))
	case net.Concat:
		call("torch.cat([%s], 1)", strings.Join(in, ", "))
	case net.Slice:
		call("%s[:, %d:%d]", postfix(in[0]), nd.From, nd.To)
	case net.Shift:
		call("F.pad(%s, (0, 1, 0, 1))[:, :, 1:, 1:]", in[0])
	case net.Sigmoid:
		call("torch.sigmoid(%s)", in[0])
	case net.Gate:
		call("%s * %s", in[0], in[1])
	case net.Scale:
		call("%s * %s", postfix(in[0]), strconv.FormatFloat(nd.Factor, 'g', -1, 64))
	case net.Zero:
		if s := nd.Shape; s == n.Nodes[w.in[i][0]].Shape {
			call("%s * 0", in[0])
		} else {
			call("%s.new_zeros(len(%s), %d, %d, %d)", in[0], in[0], s.C, s.H, s.W)
		}
	}
	return out
}
