package correlate

import "github.com/zeroshotnas/zeroshot/zico/journal"

// Value is a number that stores and reports hold with all its digits, be it finite or not.
type Value = journal.Number
