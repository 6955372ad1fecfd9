// Package train trains a described network in GoMLX: a short loop with what such networks are usually trained with, to be extended.
//
// Model is the network as a GoMLX model function with everything that scores leave out: scales and offsets of batch norms, and running statistics for evaluation. Run trains it: stochastic gradient descent with Nesterov's momentum and weight decay (SGD), a cosine learning rate with warm-up, label smoothing, random crops and flips, and an evaluation on images held out after each epoch.
//
// It is compiled whole by XLA, once for training and once for evaluation, and holds all images in memory: made for CIFAR and the like. Results are a function of the configuration and its seed on a machine.
package train
