package darts

import "github.com/zeroshotnas/zeroshot/spaces"

// Genotype is a published genotype.
type Genotype struct {
	Name   string // as in its authors' code; Parse accepts it
	Arch   spaces.Arch
	Source string
}

// Known are genotypes of the literature. Their networks have the published numbers of parameters, but for DARTS_V1: 3.17 million, where the paper prints 3.3 million for the first-order search.
var Known = []Genotype{
	{
		"DARTS_V1",
		"normal=|sep_conv_3x3~0|sep_conv_3x3~1|+|skip_connect~0|sep_conv_3x3~1|+|skip_connect~0|sep_conv_3x3~1|+|sep_conv_3x3~0|skip_connect~2|;reduce=|max_pool_3x3~0|max_pool_3x3~1|+|max_pool_3x3~0|skip_connect~2|+|max_pool_3x3~0|skip_connect~2|+|avg_pool_3x3~0|skip_connect~2|",
		"Liu et al., DARTS, ICLR 2019, first order; quark0/darts, cnn/genotypes.py",
	},
	{
		"DARTS_V2",
		"normal=|sep_conv_3x3~0|sep_conv_3x3~1|+|sep_conv_3x3~0|sep_conv_3x3~1|+|skip_connect~0|sep_conv_3x3~1|+|skip_connect~0|dil_conv_3x3~2|;reduce=|max_pool_3x3~0|max_pool_3x3~1|+|max_pool_3x3~1|skip_connect~2|+|max_pool_3x3~0|skip_connect~2|+|max_pool_3x3~1|skip_connect~2|",
		"Liu et al., DARTS, ICLR 2019, second order; quark0/darts, cnn/genotypes.py",
	},
	{
		"GDAS_V1",
		"normal=|skip_connect~0|skip_connect~1|+|skip_connect~0|sep_conv_5x5~2|+|skip_connect~0|sep_conv_3x3~3|+|sep_conv_3x3~3|sep_conv_5x5~4|;reduce=|sep_conv_5x5~0|sep_conv_3x3~1|+|sep_conv_5x5~1|sep_conv_5x5~2|+|sep_conv_3x3~1|dil_conv_5x5~2|+|sep_conv_5x5~0|sep_conv_5x5~1|",
		"Dong and Yang, Searching for A Robust Neural Architecture in Four GPU Hours, CVPR 2019; D-X-Y/AutoDL-Projects, xautodl/nas_infer_model/DXYs/genotypes.py",
	},
	{
		"PDARTS",
		"normal=|skip_connect~0|dil_conv_3x3~1|+|skip_connect~0|sep_conv_3x3~1|+|sep_conv_3x3~1|sep_conv_3x3~3|+|sep_conv_3x3~0|dil_conv_5x5~4|;reduce=|avg_pool_3x3~0|sep_conv_5x5~1|+|sep_conv_3x3~0|dil_conv_5x5~2|+|max_pool_3x3~0|dil_conv_3x3~1|+|dil_conv_3x3~1|dil_conv_5x5~3|",
		"Chen et al., Progressive Differentiable Architecture Search, ICCV 2019; chenxin061/pdarts, genotypes.py",
	},
	{
		"PC_DARTS_cifar",
		"normal=|skip_connect~0|sep_conv_3x3~1|+|sep_conv_3x3~0|dil_conv_3x3~1|+|sep_conv_5x5~0|sep_conv_3x3~1|+|avg_pool_3x3~0|dil_conv_3x3~1|;reduce=|max_pool_3x3~0|sep_conv_5x5~1|+|sep_conv_5x5~1|sep_conv_5x5~2|+|sep_conv_3x3~0|sep_conv_3x3~3|+|sep_conv_3x3~1|sep_conv_3x3~2|",
		"Xu et al., PC-DARTS, ICLR 2020, searched on CIFAR-10; yuhuixu1993/PC-DARTS, genotypes.py",
	},
	{
		"PC_DARTS_image",
		"normal=|sep_conv_3x3~0|skip_connect~1|+|sep_conv_3x3~0|skip_connect~1|+|sep_conv_3x3~1|sep_conv_3x3~3|+|sep_conv_3x3~1|dil_conv_5x5~4|;reduce=|sep_conv_3x3~0|skip_connect~1|+|max_pool_3x3~1|dil_conv_5x5~2|+|sep_conv_3x3~1|sep_conv_3x3~2|+|sep_conv_5x5~0|sep_conv_3x3~3|",
		"Xu et al., PC-DARTS, ICLR 2020, searched on ImageNet; yuhuixu1993/PC-DARTS, genotypes.py",
	},
}
