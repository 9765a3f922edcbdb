// Package parallel runs parts of one look at a machine side by side. A panic in
// one of them would end the whole process, whatever the probe's caller recovers
// from; here it becomes an error of the probe that started it.
package parallel

import (
	"errors"
	"runtime/debug"
	"sync"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Catch calls f and returns a panic in it as an error with its stack.
func Catch(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = lang.Errorf("crashed (a bug in deployctl, please report it): %v\n%s", r, debug.Stack())
		}
	}()
	f()
	return nil
}

// Group is a set of functions that run side by side. The zero value is ready.
type Group struct {
	wg   sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

// Go starts f.
func (g *Group) Go(f func()) {
	g.wg.Go(func() {
		if err := Catch(f); err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.errs = append(g.errs, err)
		}
	})
}

// Wait waits for all of them and returns what crashed.
func (g *Group) Wait() error {
	g.wg.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(g.errs...)
}

// Each calls f for every number below n, at most limit at once, waits, and
// returns what crashed.
func Each(n, limit int, f func(i int)) error {
	var g Group
	slots := make(chan struct{}, limit)
	for i := range n {
		slots <- struct{}{}
		g.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	return g.Wait()
}
