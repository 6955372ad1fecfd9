package main

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDescribe describes an architecture of each space as a user does.
func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		space, arch string
		want        []string
	}{
		{"natstss", "1462", []string{"|none~0|+|nor_conv_1x1~0|skip_connect~1|+", "index", "1462", "without useless edges", "#+(#+(0)@nor_conv_1x1)@nor_conv_1x1+(0)@nor_conv_3x3", "400346", "54968960", "54968970", "56849034", "68, of which 15", "cells.0.layers.4.op.1", "16,32,32", "total"}},
		{"natssss", "284", []string{"8:8:40:32:40", "144834", "21827994"}},
		{"nasbench101", "02e5a0247bbdcf2860b7e96f74961594", []string{"conv1x1~0,conv3x3~0,maxpool3x3~2,conv3x3~3,conv3x3~0+1+4,output~0+5", "[[0110011]", "32426634"}},
		{"darts", "DARTS_V2", []string{"known as", "second order", "3349342", "depthwise 3x3 dilated 2"}},
		{"transnas", "64-41414-3_12_023", []string{"class_scene", "15728975", "exact backbone, stand-in head", "discriminator", "layer4.1.edges.5.ops.1"}},
		{"masternet", "zico_450M", []string{"found with ZiCo under 450M", "5702248", "427785088", "438385944 FLOPs, 14 layers (with residual links)", "budget 450M", "kept", "ConvDW(40,7,2)"}},
		{"masternet", "zico_1G", []string{"exceeded", "979224130"}},
		{"plain", "3x8s1", []string{"conv 3x3 8"}},
	} {
		text, errs, status := result(t, start(t, nil, "describe", "-space", c.space, c.arch))
		if status != 0 {
			t.Errorf("%s of %s ends with %d: %s", c.arch, c.space, status, errs)
		}
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("what is said of %s lacks %q:\n%.3000s", c.arch, want, text)
			}
		}
		if c.space == "nasbench101" {
			continue // a second enumeration for its index
		}
		brief, _, _ := result(t, start(t, nil, "describe", "-brief", "-space", c.space, c.arch))
		if n := strings.Count(brief, "\n"); n > 30 {
			t.Errorf("-brief prints %d lines of %s", n, c.arch)
		}
	}
}

// TestDescribeJSON checks that the layers add up to the totals, with a bad architecture among good ones.
func TestDescribeJSON(t *testing.T) {
	text, errs, status := result(t, start(t, nil, "describe", "-json", "-size", "16", "-classes", "120", "77", "|bad~0|", "1462"))
	if status != 1 || !strings.Contains(errs, "position 1") {
		t.Errorf("a bad architecture ends with %d and %q", status, errs)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines for 2 good architectures:\n%s", len(lines), text)
	}
	for i, line := range lines {
		var d description
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		if want := []int{77, 1462}[i]; d.Index == nil || *d.Index != want {
			t.Errorf("the index is %v, want %d", d.Index, want)
		}
		if d.Pixels != 16 || d.Classes != 120 || d.Layers[0].Shape != [3]int{3, 16, 16} || d.Layers[len(d.Layers)-1].Shape != [3]int{120, 1, 1} {
			t.Errorf("images of %d pixels, %d classes, first and last shape %v and %v", d.Pixels, d.Classes, d.Layers[0].Shape, d.Layers[len(d.Layers)-1].Shape)
		}
		var params int64
		flops := map[string]int64{}
		for _, l := range d.Layers {
			params += l.Params
			for c, v := range l.FLOPs {
				flops[c] += v
			}
		}
		if params != d.Params || len(flops) != 3 {
			t.Errorf("the layers have %d parameters, the network %d; %d conventions", params, d.Params, len(flops))
		}
		for c, v := range flops {
			if v != d.FLOPs[c] || v == 0 {
				t.Errorf("the layers have %d FLOPs (%s), the network %d", v, c, d.FLOPs[c])
			}
		}
	}
}

// TestDescribeSVG draws a network and a cell of each space that has cells.
func TestDescribeSVG(t *testing.T) {
	dir := t.TempDir()
	for space, arch := range map[string]string{"natstss": "1462", "nasbench101": "conv3x3~0,output~1", "darts": "DARTS_V2", "transnas": "64-41414-3_12_023", "transnas:macro=1": "64-4231-basic"} {
		whole, cell := filepath.Join(dir, "whole.svg"), filepath.Join(dir, "cell.svg")
		if _, errs, status := result(t, start(t, nil, "describe", "-brief", "-space", space, "-svg", whole, "-cell-svg", cell, arch)); status != 0 {
			t.Fatalf("%s ends with %d: %s", space, status, errs)
		}
		size := 0
		for _, file := range []string{cell, whole} {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := xml.Unmarshal(data, new(struct{})); err != nil {
				t.Errorf("%s of %s is not well-formed: %v", filepath.Base(file), space, err)
			}
			if len(data) <= size {
				t.Errorf("%s: the whole network is drawn in %d bytes, its cell in %d", space, len(data), size)
			}
			size = len(data)
		}
	}
}
