package correlate

import (
	"fmt"
	"math"
	"strconv"
)

// Value is a number in JSON with all its digits, where NaN and the infinities, which JSON has no numbers for, are the strings "NaN", "+Inf" and "-Inf".
type Value float64

// MarshalJSON writes the value so that UnmarshalJSON reads the same bits.
func (v Value) MarshalJSON() ([]byte, error) {
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
func (v *Value) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"NaN"`:
		*v = Value(math.NaN())
		return nil
	case `"+Inf"`:
		*v = Value(math.Inf(1))
		return nil
	case `"-Inf"`:
		*v = Value(math.Inf(-1))
		return nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || f-f != 0 {
		return fmt.Errorf(`%.40q is no value; expected a number, "NaN", "+Inf" or "-Inf"`, b)
	}
	*v = Value(f)
	return nil
}
