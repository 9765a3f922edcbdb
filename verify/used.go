package verify

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/judge"
)

// available judges whether the engine can use the target at all. It asks the
// engine itself; what cannot be determined is unknown. false: it cannot be used,
// so there is nothing more to ask.
func (e *Engine) available(w ready, a engine.Answer) bool {
	e.Device = a.Device
	if w.target.Name == "cpu" || w.spec.Missing == nil {
		return true
	}
	if a.Device == nil || a.Device.Pairs == nil {
		e.doubt(lang.F("it is not known whether %s can be used: the engine does not say", w.target.Name), "")
		return true
	}
	why, fix := w.spec.Missing(w.target, *a.Device, !slices.Contains(a.Device.Pairs, w.target.Pair()))
	if why != "" {
		e.reject(why, fix)
	}
	return why == ""
}

// used judges whether the forward passes ran on the target. The numbers alone
// cannot tell: the processor's are right, too.
func (e *Engine) used(w ready, a engine.Answer, c judge.Case, work float64) error {
	target := w.target.Name
	if !e.available(w, a) || a.Device == nil {
		return nil
	}
	if target == "cpu" {
		if ran := a.Device.Layers; len(ran) > 0 && w.target.Layers != "" && (len(ran) > 1 || ran[w.target.Layers] == 0) {
			e.reject(lang.F("the processor was asked for, and the engine ran layers on %s", places(ran)), "")
		}
		return nil
	}
	e.ProcessorSeconds = a.ProcessorSeconds
	if w.target.Family() == "cpu" {
		return e.shortened(w, a, c)
	}
	switch want := w.target.Layers; {
	case len(a.Device.Layers) == 0 || want == "":
		e.doubt(lang.T("it is not known on what the layers ran: the engine does not say"), "")
	case a.Device.Layers[want] == 0:
		e.reject(lang.F("%s was not used: the engine ran all layers on %s", target, places(a.Device.Layers)), "")
	}
	if names := w.target.Drivers; names != nil && len(e.Libraries) > 0 && !slices.ContainsFunc(e.Libraries, func(file string) bool {
		base := strings.ToLower(filepath.Base(file))
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(base, n) })
	}) {
		e.reject(lang.F("%s was not used: no library of its driver was loaded", target), "")
	}
	same, err := identical(c.Heads, a.Processor)
	switch {
	case err != nil:
		return err
	case len(a.Processor) == 0:
		e.doubt(lang.T("it is not known whether the results differ from the processor's: the engine gave none of the processor"), "")
	case same && (constant(c) || work < telling):
		e.doubt(lang.F("it is not known whether %s was used: its results are those of the processor to the last bit, which this network would give anywhere", target),
			lang.T("Use trained weights of a larger network."))
	case same:
		e.reject(lang.F("%s was not used: all results are those of the processor to the last bit", target), "")
	}
	return nil
}

// followed is the relative L2 above which two results of one engine on one processor
// differ by more than single precision explains: the noise of float32 is 1e-6 to 3e-5,
// one rounding of the input to half precision alone is 2e-4.
const followed = 1e-4

// shortened judges whether an engine that was asked for a shorter precision on the
// processor computed in it. Its own results in single precision tell: what differs from
// them by no more than their rounding was computed in single precision.
func (e *Engine) shortened(w ready, a engine.Answer, c judge.Case) error {
	if ran := a.Device.Layers; len(ran) > 0 && w.target.Layers != "" && ran[w.target.Layers] == 0 {
		e.Precision = judge.FP32
		e.reject(lang.F("%s was not used: the engine ran all layers on %s", w.target.Name, places(ran)), lang.T("Use --target cpu."))
		return nil
	}
	worst, compared := 0.0, 0
	for _, p := range a.Processor {
		i := slices.IndexFunc(c.Heads, func(h judge.Tensor) bool { return h.Layer == p.Layer })
		if p.Kind != "head" || i < 0 {
			continue
		}
		data, err := p.Load()
		if err != nil {
			return err
		}
		far, _ := judge.Distance(c.Heads[i].Data, data)
		worst, compared = max(worst, far), compared+1
	}
	switch {
	case compared == 0:
		e.doubt(lang.T("it is not known in which precision the engine computed: it gave no results in single precision"), "")
	case worst < followed:
		e.Precision = judge.FP32
		why := lang.F("%s was asked for, and the engine computed in single precision: its results differ by %.1e only from its own there", w.target.Name, worst)
		if worst == 0 {
			why = lang.F("%s was asked for, and the engine computed in single precision: its results are its own there to the last bit", w.target.Name)
		}
		e.reject(why, lang.T("Use --target cpu."))
	default:
		e.Precision = c.Precision
	}
	return nil
}

// telling is the work, in GFLOP, from which on two implementations round
// differently somewhere: a hundred thousand sums in another order.
const telling = 1e-3

// constant reports whether the network gives the same for both inputs, as one
// whose weights are all zero does: no sum in it depends on its order.
func constant(c judge.Case) bool {
	for _, h := range c.Heads {
		i := slices.IndexFunc(c.Other, func(o judge.Tensor) bool { return o.Layer == h.Layer })
		if i < 0 || !slices.Equal(engine.AppendFloats(nil, h.Data), engine.AppendFloats(nil, c.Other[i].Data)) {
			return false
		}
	}
	return true
}

func places(layers map[string]int) string {
	var names []string
	for name := range layers {
		names = append(names, name)
	}
	slices.Sort(names)
	return lang.List(names, false)
}

// identical reports whether every head has the same bits in both.
func identical(heads []judge.Tensor, processor []engine.Tensor) (bool, error) {
	compared := 0
	for _, p := range processor {
		if p.Kind != "head" {
			continue
		}
		compared++
		data, err := p.Load()
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(heads, func(h judge.Tensor) bool { return h.Layer == p.Layer })
		// Bits, not values: NaN is not equal to itself.
		if i < 0 || !slices.Equal(engine.AppendFloats(nil, heads[i].Data), engine.AppendFloats(nil, data)) {
			return false, nil
		}
	}
	return compared >= len(heads), nil
}
