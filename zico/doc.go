// Package zico scores convolutional networks at initialisation with ZiCo (Li, Yang, Bhardwaj and Marculescu, "ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on Gradients", ICLR 2023): no training, two batches of images, one number.
//
// For each weight of a convolution or linear layer, the mean of the absolute gradients over the batches is divided by the standard deviation of the gradients; a layer's ratios are added up, and the score is the sum of the layers' natural logarithms. A larger score promises a higher accuracy after training.
//
// A Scorer scores networks that are described as data (package spaces/net), thousands of them over the same compiled kernels. ScoreModel scores any GoMLX model function. ScoreGradients is the score function alone.
//
// The numbers are those of the authors' code (SLDGroup/ZiCo), which differs from the paper in two points: the standard deviation is of the signed gradient, where Eq. 15 has that of its absolute value (Absolute), and weights have PyTorch's default initialisation.
package zico
