package spaces

// Trainer is a Space whose networks are scored in one form and trained in another: architectures are the same strings in both, networks are not.
type Trainer interface {
	Space
	// TrainingForm is the space of the same architectures whose networks are those that are trained. Of a space that has them already it is the space itself.
	TrainingForm() Space
}

// Training is the TrainingForm of a space, or the space itself where it trains what it scores.
func Training(s Space) Space {
	if t, ok := s.(Trainer); ok {
		return t.TrainingForm()
	}
	return s
}
