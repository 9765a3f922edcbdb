package main

import (
	"context"
	"time"
)

// variation is a sound machine that is unusual in one way.
type variation struct {
	name, what string
	args, env  []string
}

func benign() []variation {
	return []variation{
		{name: "one-thread", what: "one thread", args: []string{"--threads", "1"}},
		{name: "turkish", what: "a Turkish locale", env: []string{"LC_ALL=tr_TR.UTF-8", "LANG=tr_TR.UTF-8"}},
	}
}

func (s *suite) unusual(ctx context.Context, v variation) (row, error) {
	begin := time.Now()
	c := s.command(ctx, s.small, v.args...)
	c.Env = append(c.Env, v.env...)
	r, err := s.run(c)
	if err != nil {
		return row{}, err
	}
	out := row{name: v.name, what: v.what, want: "green"}
	out.got, out.ok = r.green()
	out.took = time.Since(begin)
	return out, nil
}
