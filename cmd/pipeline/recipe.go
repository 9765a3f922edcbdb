package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"
	"github.com/mattn/go-runewidth"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/project"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// RecipeList prints one line a recipe, grouped by what fits this machine.
func RecipeList(ctx context.Context, l Listing) error {
	if err := textOrJSON(l.Format); err != nil {
		return err
	}
	list, broken := recipes.List(l.Folders.Recipes)
	if len(list) == 0 && broken != nil {
		return &UsageError{broken}
	}
	t, err := recipes.FindTables(l.Folders.Recipes)
	if err != nil {
		return &UsageError{err}
	}
	_, f, err := lookAt(ctx, "", false)
	if err != nil {
		return err
	}
	groups := map[fit][]*recipes.Recipe{}
	for _, r := range list {
		group := fitOf(r, t, f)
		groups[group] = append(groups[group], r)
	}
	write := writeRecipes
	if l.Format == formats.JSON {
		write = recipesJSON
	}
	if err := write(l, list, groups); err != nil {
		return err
	}
	if broken != nil { // the others are listed all the same
		return usagef("some of your recipes cannot be used; fix or remove them:\n%w", broken)
	}
	return nil
}

func recipesJSON(l Listing, _ []*recipes.Recipe, groups map[fit][]*recipes.Recipe) error {
	type row struct {
		Name      string `json:"name"`
		Title     string `json:"title"`
		Fit       string `json:"fit"` // here, hardware (some is lacking), or system (it is for another)
		Source    string `json:"source"`
		Overrides string `json:"overrides,omitempty"`
	}
	rows := []row{}
	for group, name := range []string{fitsHere: "here", lacksHardware: "hardware", otherSystem: "system"} {
		for _, r := range groups[fit(group)] {
			rows = append(rows, row{r.Name, r.Title, name, r.Source, r.Overrides})
		}
	}
	return writeJSON(l.Console, struct {
		heading
		Recipes []row `json:"recipes"`
	}{l.heading(), rows})
}

func writeRecipes(l Listing, list []*recipes.Recipe, groups map[fit][]*recipes.Recipe) error {
	width := 0
	for _, r := range list {
		width = max(width, runewidth.StringWidth(r.Name))
	}
	for _, group := range []struct {
		fit   fit
		title string
	}{{fitsHere, lang.T("For this machine:")}, {lacksHardware, lang.T("Needs hardware that is not here:")}, {otherSystem, lang.T("For another system:")}} {
		if len(groups[group.fit]) == 0 {
			continue
		}
		if _, err := fmt.Fprintln(l.Console.Text(), group.title); err != nil {
			return err
		}
		if err := printRecipes(l.Console, groups[group.fit], width); err != nil {
			return err
		}
	}
	return nil
}

func printRecipes(c *console.Console, list []*recipes.Recipe, width int) error {
	for _, r := range list {
		note := ""
		if r.Overrides != "" {
			note = lang.F("  (from %s, which replaces the %s one)", r.Source, r.Overrides)
		} else if r.Source != "embedded" {
			note = lang.F("  (from %s)", r.Source)
		}
		if _, err := fmt.Fprintln(c.Text(), listed(c, "  "+runewidth.FillRight(r.Name, width)+"  ", lang.T(r.Title)+note)); err != nil {
			return err
		}
	}
	return nil
}

// RecipeShow prints a recipe as YAML.
func RecipeShow(c *console.Console, folders Folders, name string) error {
	r, err := recipes.Find(name, folders.Recipes)
	if err != nil {
		return &UsageError{err}
	}
	data, err := yaml.Marshal(r)
	if err != nil {
		return lang.Errorf("print recipe %s: %w", r.Name, err)
	}
	_, err = fmt.Fprintf(c.Text(), "# %s\n%s", r.Source, data)
	return err
}

// RecipeLint checks a recipe file, or one that holds a table.
func RecipeLint(c *console.Console, folders Folders, file string) error {
	data, err := recipes.ReadFile(file) // as loading does
	if err != nil {
		return &UsageError{err}
	}
	if recipes.IsTable(data) {
		return lintTable(c, folders, file, data)
	}
	if err := recipes.LintFile(data, file, folders.Recipes); err != nil {
		return &UsageError{err}
	}
	_, err = fmt.Fprint(c.Text(), lang.F("%s is valid\n", file))
	return err
}

// NewRecipe is what recipe new is asked for.
type NewRecipe struct {
	// Name is the recipe's, "" for that of the folder From.
	Name string
	// From is the folder of a project, "" for a small recipe to begin from.
	From string
	// Output is the file to write, "" to print it.
	Output string
}

// RecipeNew writes a recipe: a small one to begin from, or one for a project by
// what its files ask for.
func RecipeNew(ctx context.Context, c *console.Console, n NewRecipe) error {
	var data []byte
	var err error
	switch {
	case n.From != "":
		data, err = recipeFrom(ctx, n)
	case n.Name == "":
		return usagef("give the new recipe's name, or --from FOLDER")
	default:
		if data, err = recipes.New(n.Name); err != nil {
			err = &UsageError{err}
		}
	}
	if err != nil {
		return err
	}
	if n.Output == "" {
		_, err = c.Text().Write(data)
		return err
	}
	f, err := os.OpenFile(n.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usagef("%s is there already: remove it, or give another name", n.Output)
	}
	if err != nil {
		return lang.Errorf("write the recipe: %w", err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return lang.Errorf("write the recipe: %w", err)
	}
	_, err = fmt.Fprint(c.Text(), lang.F("Wrote %s. Check this machine with it: deployctl doctor --recipe %s\n", n.Output, n.Output))
	return err
}

// recipeFrom reads the project in a folder.
func recipeFrom(ctx context.Context, n NewRecipe) ([]byte, error) {
	h := host.Live()
	var err error
	if h.Dir, err = filepath.Abs(n.From); err != nil {
		return nil, lang.Errorf("find the folder %s: %w", n.From, err)
	}
	if info, err := os.Stat(h.Dir); err != nil || !info.IsDir() {
		return nil, usagef("%s is not a folder", n.From)
	}
	needs, err := project.Needs(ctx, h)
	if err != nil {
		return nil, lang.Errorf("read the project: %w", err)
	}
	if len(needs) == 0 {
		return nil, usagef("%s asks for nothing that deployctl knows (it reads go.mod, CMakeLists.txt, Makefile, requirements.txt and pyproject.toml)", n.From)
	}
	data, err := recipes.FromProject(cmp.Or(n.Name, recipes.NameFor(filepath.Base(h.Dir))), needs)
	if err != nil {
		return nil, &UsageError{err}
	}
	return data, nil
}

// RecipeSchema prints the JSON Schema of recipes, or of compatibility tables.
func RecipeSchema(c *console.Console, tables bool) error {
	data := recipes.RecipeSchema()
	if tables {
		data = recipes.TableSchema()
	}
	_, err := c.Out.Write(data)
	return err
}
