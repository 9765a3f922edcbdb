package solve_test

import (
	"context"
	"testing"

	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/recipes"
)

// BenchmarkSolve measures each constructed host; the bar is 200 ms for the
// hardest.
func BenchmarkSolve(b *testing.B) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := tables.All(); err != nil {
		b.Fatal(err)
	}
	for _, s := range scenes(b) {
		b.Run(s.name(), func(b *testing.B) {
			for b.Loop() {
				solution, err := solve.Solve(context.Background(), s.recipe, tables, s.facts, solve.Options{Targets: s.targets})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(solution.Nodes), "nodes/op")
			}
		})
	}
}
