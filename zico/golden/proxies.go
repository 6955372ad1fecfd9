package golden

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/formula"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
)

// references are the names that golden files have for the values of proxies: ziconet_* are the functions of SLDGroup/ZiCo, zcn_* the measures of SamsungLabs/zero-cost-nas.
var references = map[string]string{
	"ziconet_gradnorm":   "gradnorm-unit",
	"ziconet_naswot":     "naswot-unit",
	"ziconet_zen":        "zen",
	"ziconet_synflow":    "synflow-unit",
	"ziconet_te_nas_ntk": "ntk",
	"zcn_grad_norm":      "gradnorm",
	"zcn_snip":           "snip",
	"zcn_grasp":          "grasp",
	"zcn_fisher":         "fisher",
	"zcn_jacob_cov":      "jacov",
	"zcn_plain":          "plain",
	"zcn_synflow":        "synflow", // its logarithm
	"zcn_synflow_bn":     "synflow-bn",
}

// illConditioned says which reference values cannot be had from another order of additions, and why: those of this program differ as much between its own kernels.
var illConditioned = map[string]string{
	"trans_a zcn_jacob_cov":         flat,
	"trans_a zcn_synflow_bn":        flat,
	"trans_a ziconet_synflow":       flat,
	"trans_a ziconet_te_nas_ntk":    flat,
	"init_plainnet ziconet_synflow": "batch norm sees one image of ones: channels that hardly vary over it are divided by a standard deviation that is rounding",
}

const flat = "the features end in a batch norm without a rectifier, so the sum of all logits does not depend on the weights and the images, and every gradient of it is rounding"

// verifyProxies compares the proxies of one network with the reference's, in float64: 1e-6 relative, ntk 1e-4.
func verifyProxies(ctx context.Context, s *zico.Scorer, g *Network) *Row {
	row := &Row{ID: g.ID, DType: "proxies", Tolerance: 1e-6}
	n, data, err := g.open(ctx)
	if err != nil {
		row.problem("%v", err)
		return row
	}
	var keys, noisy []string
	for key := range g.Proxies {
		if _, ok := references[key]; !ok {
			row.problem("unknown proxy %s", key)
		} else if g.Kind == "nb101" && strings.HasPrefix(key, "ziconet_") && key != "ziconet_synflow" {
			noisy = append(noisy, key)
		} else {
			keys = append(keys, key)
		}
	}
	g.compare(ctx, s, n, data, keys, false, row)
	if len(noisy) > 0 {
		// The PyTorch port of NAS-Bench-101 draws a number for each of its placeholders before the reference draws its noise, and the reference's noise is one batch of the formula a draw.
		for b := range data {
			formula.FillImages(data[b].Pixels, g.Seed, g.placeholders()+b, g.Batch, 3, g.Size, g.Size)
		}
		g.compare(ctx, s, n, data, noisy, true, row)
	}
	return row
}

// compare compares the values of some proxies on given images, which take the place of noise if asNoise.
func (g *Network) compare(ctx context.Context, s *zico.Scorer, n *net.Network, data []images.Batch, keys []string, asNoise bool, row *Row) {
	slices.Sort(keys)
	var names []string
	for _, key := range keys {
		names = append(names, references[key])
	}
	proxies, err := proxy.Find(names...)
	if err != nil {
		row.problem("%v", err)
		return
	}
	if asNoise {
		for i := range proxies {
			p := *proxies[i]
			p.Pass.Input = zico.Images
			proxies[i] = &p
		}
	}
	res, err := proxy.Evaluate(ctx, s, n, g.Seed, data, proxies)
	if err != nil {
		row.problem("%v", err)
		return
	}
	for i, key := range keys {
		got, tol := res.Values[i], 1e-6
		if key == "zcn_synflow" {
			got = math.Exp(got)
		}
		if key == "ziconet_te_nas_ntk" {
			tol = 1e-4
		}
		want, ok := value(g.Proxies[key])
		if !ok {
			continue // the reference failed there
		}
		off := math.Abs(got-want) / math.Abs(want)
		if got == want || math.IsNaN(got) && math.IsNaN(want) {
			off = 0
		}
		if why := illConditioned[g.ID+" "+key]; why != "" {
			row.Notes = append(row.Notes, fmt.Sprintf("%s is %.6g, the reference has %.6g: %s", key, got, want, why))
			continue
		}
		row.Compared++
		row.Worst = max(row.Worst, off/tol*1e-6)
		if !(off <= tol) {
			row.problem("%s is %.12g, want %.12g (off by %.2g)", key, got, want, off)
		}
	}
}

// value reads a number of a golden file, which writes those that JSON lacks as text.
func value(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case string:
		switch strings.ToLower(v) {
		case "nan":
			return math.NaN(), true
		case "inf":
			return math.Inf(1), true
		case "-inf":
			return math.Inf(-1), true
		}
	}
	return 0, false
}
