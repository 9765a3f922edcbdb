package recipes

import (
	_ "embed"
	"slices"
)

// The schemas are generated from the Go types by TestSchema (-update) and kept
// as files, so that the program needs no schema generator and editors can be
// pointed at them.
var (
	//go:embed schema/recipe.schema.json
	recipeSchema []byte
	//go:embed schema/compat.schema.json
	compatSchema []byte
)

// RecipeSchema is the JSON Schema (draft 2020-12) of recipe files.
func RecipeSchema() []byte { return slices.Clone(recipeSchema) }

// TableSchema is the JSON Schema (draft 2020-12) of compatibility tables.
func TableSchema() []byte { return slices.Clone(compatSchema) }
