// Package envedit owns lasting changes of the environment.
package envedit

import (
	"context"
	"errors"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/step"
)

// Worker is the mechanism "envedit".
type Worker struct{ Host *host.Host }

func (Worker) State(ctx context.Context, s step.Step) (map[string]string, error) {
	return nil, errors.New("not yet")
}
func (Worker) Done(ctx context.Context, s step.Step) (bool, error) {
	return false, errors.New("not yet")
}
func (Worker) Do(ctx context.Context, s step.Step, tell func(step.Progress)) error {
	return errors.New("not yet")
}
