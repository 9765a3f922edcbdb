package pipeline

import (
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/cache"
)

// CacheList prints what the cache holds, by kind.
func CacheList(l Listing) error {
	if err := textOrJSON(l.Format); err != nil {
		return err
	}
	list, err := cache.List(l.Folders.Cache)
	if err != nil {
		return err
	}
	var total int64
	for _, e := range list {
		total += e.Size
	}
	if l.Format == formats.JSON {
		if list == nil {
			list = []cache.Entry{}
		}
		return writeJSON(l.Console, struct {
			heading
			Folder  string        `json:"folder"`
			Total   int64         `json:"total"`
			Limit   int64         `json:"limit"`
			Entries []cache.Entry `json:"entries"`
		}{l.heading(), l.Folders.Cache, total, cache.Limit, list})
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s  %s\n", l.Folders.Cache, cache.Bytes(total))
	for _, kind := range []cache.Kind{cache.Worker, cache.Reference, cache.SelfTest, cache.Download, cache.Log, cache.Leftover, cache.Other} {
		n, size := 0, int64(0)
		for _, e := range list {
			if e.Kind == kind {
				n, size = n+1, size+e.Size
			}
		}
		if n > 0 {
			fmt.Fprintf(&text, "  %s  %4d  %10s\n", runewidth.FillRight(string(kind), len(cache.SelfTest)), n, cache.Bytes(size))
		}
	}
	fmt.Fprint(&text, lang.F("Workers and references may take %s; the longest unused are removed first.\n", cache.Bytes(cache.Limit)))
	_, err = fmt.Fprint(l.Console.Text(), text.String())
	return err
}

// CachePrune removes what the options say and prints what that was.
func CachePrune(c *console.Console, folders Folders, p cache.Pruning) error {
	removed, err := cache.Prune(folders.Cache, p, time.Now())
	var size int64
	for _, e := range removed {
		size += e.Size
		if _, werr := fmt.Fprintf(c.Out, "%s  %s  %s\n", runewidth.FillRight(string(e.Kind), len(cache.SelfTest)), e.Path, cache.Bytes(e.Size)); werr != nil {
			return werr
		}
	}
	if err != nil {
		return err
	}
	noun := "entries"
	if len(removed) == 1 {
		noun = "entry"
	}
	_, err = fmt.Fprint(c.Out, lang.F("Removed %d %s, %s\n", len(removed), noun, cache.Bytes(size)))
	return err
}
