package masternet

import "github.com/zeroshotnas/zeroshot/spaces"

// TrainingForm implements spaces.Trainer: the reference scores chains without residual links and trains what it has found with them and with squeeze and excitation. A space with one of the switches on was chosen on purpose and stays as it is.
func (s Space) TrainingForm() spaces.Space {
	if s == (Space{}) {
		return Space{ResLink: true, SE: true}
	}
	return s
}
