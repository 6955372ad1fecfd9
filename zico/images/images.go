// Package images turns pictures into the batches that scores are computed on.
package images

// Batch is N labelled images, normalised, in the layout the tape runs on.
type Batch struct {
	N, H, W, C int       // images, rows, columns, channels (3)
	Classes    int       // labels are 0..Classes-1
	Pixels     []float32 // [N, H, W, C], row-major
	Labels     []int32   // [N]
}
