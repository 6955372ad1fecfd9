// Package backend opens PJRT.
package backend

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
)

// Backend is an open PJRT client.
type Backend struct {
	compute.Backend
	platform string
}

// Open opens the device named like "xla:cpu".
func Open(device string) (*Backend, error) {
	be, err := xla.New("cpu")
	if err != nil {
		return nil, err
	}
	return &Backend{Backend: be, platform: "cpu"}, nil
}

// Platform is "cpu" or "cuda".
func (b *Backend) Platform() string { return b.platform }
