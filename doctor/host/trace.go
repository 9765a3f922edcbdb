package host

import (
	"context"
	"time"
)

// Tracer is told of each child process that ended: its arguments with secrets replaced,
// how long it ran, and why it could not be run (nil: it ran, whatever its exit code). It
// may be called from several goroutines.
type Tracer func(argv []string, took time.Duration, err error)

type traceKey struct{}

// WithTracer returns a context under which Run, and what carries steps out, tells t.
func WithTracer(ctx context.Context, t Tracer) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// Trace begins to watch a child process for the context's tracer; done ends it.
func Trace(ctx context.Context, argv []string) (done func(error)) {
	t, ok := ctx.Value(traceKey{}).(Tracer)
	if !ok {
		return func(error) {}
	}
	began := time.Now()
	return func(err error) {
		clean := make([]string, len(argv))
		for i, arg := range argv {
			clean[i] = redacted(arg, nil)
		}
		t(clean, time.Since(began), err)
	}
}
