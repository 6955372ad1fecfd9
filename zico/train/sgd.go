package train

import (
	"errors"
	"path"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// sgdScope is where the velocities are.
const sgdScope = "/" + optimizer.Scope + "/sgd"

// SGD is stochastic gradient descent with momentum and weight decay, as torch.optim.SGD defines them, for GoMLX, whose own has neither. With gradient g of a variable w:
//
//	g = g + WeightDecay*w    (w of at least two axes: no biases, no scales and offsets of norms)
//	v = Momentum*v + g
//	w = w - rate*v           (Nesterov: rate*(g + Momentum*v))
//
// The rate is GoMLX's learning rate variable, which schedules set.
type SGD struct {
	Momentum    float64
	Nesterov    bool
	WeightDecay float64
}

// UpdateGraph implements optimizer.Interface.
func (s SGD) UpdateGraph(scope *model.Scope, g *Graph, loss *Node) {
	if !loss.IsScalar() {
		panic(errors.New("train: the loss to optimize must be a scalar"))
	}
	rate := optimizer.LearningRateVar(scope, loss.DType(), model.GetParamOr(scope, optimizer.ParamLearningRate, optimizer.SGDDefaultLearningRate)).NodeValue(g)
	optimizer.IncrementGlobalStep(g, loss.DType())
	var vars []*model.Variable
	for v := range scope.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			vars = append(vars, v)
		}
	}
	for i, grad := range scope.BuildTrainableVariablesGradientsGraph(loss) {
		v := vars[i]
		value := v.NodeValue(g)
		if s.WeightDecay != 0 && decays(v) {
			grad = Add(grad, MulScalar(value, s.WeightDecay))
		}
		step := grad
		if s.Momentum != 0 {
			at := scope.Store().Scope(path.Join(sgdScope, v.Scope())).WithInitializer(initializer.Zero)
			velocity := at.VariableWithShape(v.Name(), v.Shape()).SetTrainable(false)
			step = Add(MulScalar(velocity.NodeValue(g), s.Momentum), grad)
			velocity.SetNodeValue(step)
			if s.Nesterov {
				step = Add(grad, MulScalar(step, s.Momentum))
			}
		}
		v.SetNodeValue(Sub(value, Mul(step, ConvertDType(rate, value.DType()))))
	}
}

// Clear implements optimizer.Interface: it deletes the velocities.
func (s SGD) Clear(scope *model.Scope) error {
	return scope.Store().DeleteVariablesInScope(sgdScope)
}
