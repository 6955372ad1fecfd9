package journal

import (
	"fmt"
	"math"
	"strconv"
)

// Number is a number in JSON with all its digits, where NaN and the infinities, which JSON has no numbers for, are the strings "NaN", "+Inf" and "-Inf".
type Number float64

// MarshalJSON writes the number so that UnmarshalJSON reads the same bits.
func (v Number) MarshalJSON() ([]byte, error) {
	f := float64(v)
	switch {
	case math.IsNaN(f):
		return []byte(`"NaN"`), nil
	case math.IsInf(f, 1):
		return []byte(`"+Inf"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-Inf"`), nil
	}
	return strconv.AppendFloat(nil, f, 'g', -1, 64), nil
}

// UnmarshalJSON reads a number or one of the three strings.
func (v *Number) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"NaN"`:
		*v = Number(math.NaN())
		return nil
	case `"+Inf"`:
		*v = Number(math.Inf(1))
		return nil
	case `"-Inf"`:
		*v = Number(math.Inf(-1))
		return nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || f-f != 0 {
		return fmt.Errorf(`%.40q is no number; expected a number, "NaN", "+Inf" or "-Inf"`, b)
	}
	*v = Number(f)
	return nil
}
