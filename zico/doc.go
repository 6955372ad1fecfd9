// Package zico scores convolutional networks at initialisation with ZiCo (Li et al., ICLR 2023): no training, two batches of images, one number.
package zico
