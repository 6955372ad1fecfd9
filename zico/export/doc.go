// Package export hands over the network that a search has found in forms for training elsewhere: a PyTorch module, a GoMLX program, JSON, tables and pictures.
//
// It works on every net.Network, of whatever space, and needs no device. Folder writes everything at once; the functions beside it make single files.
//
// What is written has the semantics of package net: tests load modules of every space, and of every operation, into PyTorch and compare their logits with GoMLX's to 1e-9 in float64, in training and in evaluation. Weights are not part of it: a score is computed from random ones, and training starts from new ones.
package export

import "github.com/zeroshotnas/zeroshot/spaces"

// About says where a network comes from. The zero value says nothing, and files leave it out.
type About struct {
	Space spaces.Space // space whose architecture it is; nil: of none
	Arch  spaces.Arch  // canonical form
	Score *float64     // the score that it was found by; nil: none is known
	Proxy string       // what Score is; default "ZiCo"
}

func (a About) proxy() string {
	if a.Proxy == "" {
		return "ZiCo"
	}
	return a.Proxy
}
