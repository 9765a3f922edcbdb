package pipeline

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Selection is which recipe is judged, and how it is narrowed.
type Selection struct {
	// Name of a recipe, a file, or an https address; that one needs SHA256. "" is the
	// default of the system that is judged.
	Name, SHA256 string
	// Set holds parameters as name=value; the others hold requirement ids, with
	// a dot at the end for all that begin so.
	Set, Only, Skip, Downgrade []string
}

const (
	maxRecipe    = 256 << 10 // as the loader's own limit
	recipeWithin = 30 * time.Second
)

// load finds the recipe, for a machine of a system (GOOS), and the tables it may ask.
func (s Selection) load(ctx context.Context, folders Folders, system string) (*recipes.Recipe, *recipes.Tables, error) {
	t, err := recipes.FindTables(folders.Recipes)
	if err != nil {
		return nil, nil, &UsageError{err}
	}
	var r *recipes.Recipe
	if strings.HasPrefix(s.Name, "https://") {
		if u, err := url.Parse(s.Name); err == nil && u.User != nil {
			return nil, nil, usagef("a recipe's address must not hold a user name or a password, since reports show it: download the recipe and name the file instead")
		}
		if s.SHA256 == "" {
			return nil, nil, usagef("a recipe from an address is used only with its hash: add --recipe-sha256")
		}
		data, err := fetchRecipe(ctx, s.Name)
		if err != nil {
			return nil, nil, err
		}
		if r, err = recipes.LoadPinned(data, s.Name, s.SHA256); err != nil {
			return nil, nil, &UsageError{err}
		}
	} else if r, err = recipes.Find(cmp.Or(s.Name, recipes.DefaultOn(system)), folders.Recipes); err != nil {
		return nil, nil, &UsageError{err}
	}
	values, err := recipes.ParseSet(s.Set)
	if err != nil {
		return nil, nil, &UsageError{err}
	}
	if r, err = r.Set(values); err != nil {
		return nil, nil, &UsageError{err}
	}
	if r, err = r.Select(s.Only, s.Skip, s.Downgrade); err != nil {
		return nil, nil, &UsageError{err}
	}
	if err := t.Check(r); err != nil {
		return nil, nil, &UsageError{err}
	}
	return r, t, nil
}

// fetchRecipe gets the bytes; whether they are the right ones is for their hash.
func fetchRecipe(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, recipeWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, usagef("%s is not an address: %w", address, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, lang.Errorf("fetch the recipe: %w; download it and name the file instead", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read-only
	if resp.StatusCode != http.StatusOK {
		return nil, lang.Errorf("fetch the recipe: %s answers %s; check the address, or download it and name the file instead", address, resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxRecipe+1))
	if err != nil {
		return nil, lang.Errorf("fetch the recipe %s: %w", address, err)
	}
	if len(data) > maxRecipe {
		return nil, usagef("%s is longer than a recipe can be (%d KiB)", address, maxRecipe>>10)
	}
	return data, nil
}

// fix is the command that carries out a plan, nil where it has no steps.
func (s Selection) fix(plan *installers.Plan) *report.Fix {
	if len(plan.Steps) == 0 {
		return nil
	}
	cost := plan.Cost()
	f := &report.Fix{Command: "deployctl doctor --fix" + s.flags(), DownloadBytes: cost.DownloadBytes, Minutes: cost.Minutes, Estimated: cost.Estimated}
	for _, step := range plan.Steps {
		for _, id := range step.Requirements {
			if !slices.Contains(f.Findings, id) {
				f.Findings = append(f.Findings, id)
			}
		}
	}
	return f
}

// flags are what a command line needs to make the same choice again.
func (s Selection) flags() string {
	var b strings.Builder
	if s.Name != "" {
		b.WriteString(" --recipe " + s.Name)
	}
	for _, list := range []struct {
		flag   string
		values []string
	}{{"set", s.Set}, {"only", s.Only}, {"skip", s.Skip}, {"downgrade", s.Downgrade}} {
		for _, v := range list.values {
			b.WriteString(" --" + list.flag + " " + v)
		}
	}
	return b.String()
}
