package zico

import (
	"encoding/json"
	"math"
)

// MarshalJSON writes the result with null for a score that is not finite, which JSON has no number for; Warnings say why.
func (r Result) MarshalJSON() ([]byte, error) {
	type plain Result
	var logits [][]*float64
	for _, l := range r.Logits {
		logits = append(logits, finites(l))
	}
	return json.Marshal(struct {
		plain
		Score  *float64     `json:"score"`
		Losses []*float64   `json:"losses,omitempty"`
		Logits [][]*float64 `json:"logits,omitempty"`
	}{plain(r), finite(r.Score), finites(r.Losses), logits})
}

// MarshalJSON writes the layer with null for numbers that are not finite.
func (l Layer) MarshalJSON() ([]byte, error) {
	type plain Layer
	return json.Marshal(struct {
		plain
		Sum     *float64   `json:"sum"`
		Log     *float64   `json:"log"`
		Clipped *float64   `json:"clipped"`
		GradL2  []*float64 `json:"grad_l2,omitempty"`
	}{plain(l), finite(l.Sum), finite(l.Log), finite(l.Clipped), finites(l.GradL2)})
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func finites(v []float64) []*float64 {
	out := make([]*float64, len(v))
	for i := range v {
		out[i] = finite(v[i])
	}
	return out
}
