package spaces

import "math/rand/v2"

// Evolver is a Space that a paper has searched by evolution, with that search's beginning and mutation.
type Evolver interface {
	Space
	// Initial is where the search begins.
	Initial() Arch
	// Replace is the search's mutation with n replacements; its result may be a.
	Replace(rng *rand.Rand, a Arch, n int) Arch
}

// Budgeter is a Space whose search counts budgets in its own way.
type Budgeter interface {
	Space
	// Budget counts a canonical architecture, and fails where Network does.
	Budget(a Arch, in Input) (BudgetCounts, error)
}

// BudgetCounts are what budgets of a search are given in. What exactly is counted, the space says.
type BudgetCounts struct {
	FLOPs  float64 // need not be a whole number where the counter has quirks
	Params int64
	Layers int
}
