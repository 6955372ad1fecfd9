package nasbench101

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"math/bits"
	"slices"
	"sync"
)

type digest = [md5.Size]byte

// digits is a digest in hexadecimal, as texts have it; the order is the same.
type digits = [2 * md5.Size]byte

func sum(text []byte) (d digits) {
	h := md5.Sum(text)
	hex.Encode(d[:], h[:])
	return d
}

// hash is the benchmark's fingerprint of a cell: MD5 over the hexadecimal MD5s of its vertices, which start from degrees and operation and take in those of their neighbours as often as there are vertices. (hash_module in graph_util.py of google-research/nasbench, which has verified that cells of equal hash are isomorphic.)
func (c *cell) hash() digest {
	var now, next [maxVertices]digits
	out := c.out()
	n := int(c.n)
	for v := range n {
		label := int(c.ops[v])
		switch v {
		case 0:
			label = -1
		case n - 1:
			label = -2
		}
		now[v] = seeds()[seed{bits.OnesCount8(out[v]), bits.OnesCount8(c.in[v]), label}]
	}
	// The text is that of Python: sorted hexadecimal digests one after the other, and at last a list of strings as str() prints it.
	var buf [16 + maxVertices*2*(2*md5.Size+4)]byte
	gather := func(text []byte, mask uint8) []byte {
		var list [maxVertices]*digits
		k := 0
		for ; mask != 0; mask &= mask - 1 {
			d := &now[bits.TrailingZeros8(mask)]
			i := k
			for ; i > 0 && bytes.Compare(list[i-1][:], d[:]) > 0; i-- {
				list[i] = list[i-1]
			}
			list[i] = d
			k++
		}
		for _, d := range list[:k] {
			text = append(text, d[:]...)
		}
		return append(text, '|')
	}
	for range n {
		for v := range n {
			text := gather(gather(buf[:0], c.in[v]), out[v])
			next[v] = sum(append(text, now[v][:]...))
		}
		now = next
	}
	slices.SortFunc(now[:n], func(a, b digits) int { return bytes.Compare(a[:], b[:]) })
	text := buf[:0]
	separator := "['"
	for _, d := range now[:n] {
		text = append(text, separator...)
		text = append(text, d[:]...)
		separator = "', '"
	}
	return md5.Sum(append(text, "']"...))
}

// seed is what the hash of a vertex starts from.
type seed struct{ out, in, label int }

// seeds are the first hashes of vertices, of Python's tuple (out, in, label).
var seeds = sync.OnceValue(func() map[seed]digits {
	m := map[seed]digits{}
	for out := range maxVertices {
		for in := range maxVertices {
			for label := -2; label < len(Ops); label++ {
				m[seed{out, in, label}] = sum(fmt.Appendf(nil, "(%d, %d, %d)", out, in, label))
			}
		}
	}
	return m
})
