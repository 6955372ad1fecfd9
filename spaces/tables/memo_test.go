package tables

import (
	"errors"
	"fmt"
	"math"
	"testing"
)

// TestMemo checks what is left of earlier records: shared values, also after so many different ones that their codes need more than two bytes, and nothing of containers.
func TestMemo(t *testing.T) {
	m := memo{codes: map[string]uint32{}, values: []any{dropped{}}}
	name := &global{"numpy", "dtype"}
	key := &tuple{[]any{"cifar10", int64(777)}}
	const records = 70_000
	for i := range records {
		for _, v := range []any{fmt.Sprint("arch ", i), name, key, &list{}, &tuple{[]any{&dict{}}}, "shared"} {
			if err := m.put(uint64(m.len()), v); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.forget(); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range []int{0, 1, 10_000, 65_535, 65_536, records - 1} {
		for k, want := range []any{fmt.Sprint("arch ", i), name, key, dropped{}, dropped{}, "shared"} {
			if got, ok := m.get(uint64(6*i + k)); !ok || got != want {
				t.Fatalf("value %d of record %d is %v, %v, want %v", k, i, got, ok, want)
			}
		}
	}
	if _, ok := m.get(6 * records); ok {
		t.Error("there is a value that was never put")
	}
	if err := m.put(5, "x"); err == nil {
		t.Error("a value of an earlier record can be replaced")
	}
	if m.pages[0].wide != nil || m.pages[len(m.pages)-1].narrow != nil {
		t.Error("codes take more bytes than they need, or fewer")
	}
}

// TestDropped checks that what is needed of a shared container that is gone is an error, not a missing value.
func TestDropped(t *testing.T) {
	arch := "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
	pickle := "\x80\x02}(U\x0aarch2infos}(" +
		"K\x00}U\x0212}(U\x0ball_results}U\x07cifar10K\x01\x86}(U\x06epochsK\x01U\x0beval_acc1es}q\x00U\x0aori-test@0K\x05susU\x08arch_strU" + string(rune(len(arch))) + arch + "us" +
		"K\x01}U\x0212}(U\x0ball_results}U\x07cifar10K\x01\x86}(U\x06epochsK\x01U\x0beval_acc1esh\x00usU\x08arch_strU" + string(rune(len(arch))) + arch + "us" +
		"uK\x01Nu."
	_, err := readText(pickle, "t.pickle", Options{})
	if !errors.Is(err, ErrFormat) || err.Error() != `tables: t.pickle: architecture 1, training "12": cifar10: eval_acc1es is a part of an earlier record, which is gone, expected a dictionary` {
		t.Error(err)
	}
}

// TestNumPy decodes numbers of the types that occur.
func TestNumPy(t *testing.T) {
	for _, c := range []struct {
		dtype string
		data  []byte
		want  any
	}{
		{"f8", []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, 1.5},
		{">f8", []byte{0x3f, 0xf8, 0, 0, 0, 0, 0, 0}, 1.5},
		{"<f4", []byte{0, 0, 0xc0, 0x3f}, 1.5},
		{"i8", []byte{0xfe, 255, 255, 255, 255, 255, 255, 255}, int64(-2)},
		{"i1", []byte{0x80}, int64(-128)},
		{">i2", []byte{0xff, 0xfe}, int64(-2)},
		{"u4", []byte{255, 255, 255, 255}, int64(math.MaxUint32)},
		{"|b1", []byte{1}, true},
		{"u8", make([]byte, 8), nil}, // may not fit
		{"f2", []byte{0, 0}, nil},
		{"c8", make([]byte, 8), nil},
		{"O", nil, nil},
		{"f99", make([]byte, 99), nil},
		{"f4", []byte{0, 0}, nil},
		{"", nil, nil},
	} {
		if got, ok := newDtype(c.dtype).value(c.data); got != c.want || ok != (c.want != nil) {
			t.Errorf("%s of % x is %v, %v, want %v", c.dtype, c.data, got, ok, c.want)
		}
	}
	one := &array{dtype: newDtype("f4"), data: []byte{0, 0, 0xc0, 0x3f}}
	if v, ok := real(one); !ok || v != 1.5 {
		t.Errorf("an array of one number is %v, %v", v, ok)
	}
	for _, v := range []any{"1", nil, true, &array{}, &array{dtype: newDtype("f4"), data: []byte{0}}, &list{[]any{1.5}}, &array{dtype: newDtype("b1"), data: []byte{1}}} {
		if x, ok := real(v); ok {
			t.Errorf("%v is the number %v", v, x)
		}
	}
	for _, v := range []any{"1", &list{[]any{1.5, "x"}}, &array{dtype: newDtype("f2"), data: []byte{0, 0}}} {
		if x, ok := reals(v); ok {
			t.Errorf("%v are the numbers %v", v, x)
		}
	}
	if v, ok := reals(&array{dtype: newDtype("O"), items: []any{1.5, int64(2)}}); !ok || len(v) != 2 || v[1] != 2 {
		t.Errorf("an array of objects is %v, %v", v, ok)
	}
}
