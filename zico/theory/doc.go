// Package theory runs the experiments behind the theorems of the ZiCo paper (Li, Yang, Bhardwaj and Marculescu, ICLR 2023, section 3 and Figures 1 and 2) and checks what they claim, run by run: one step of linear regression (Theorem 3.1), one epoch of a two-layer ReLU network (Theorems 3.3 and 3.5), and the network's Gram matrix (Definition 1) with its limit.
//
// Everything is float64 in pure Go, so that a bound that fails does not fail by rounding, and needs no device. Results are a function of images, seeds and numbers given; they do not depend on the number of processors.
package theory
