package evidence

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// These properties are those that the promise rests on. They are checked over all
// outcomes of a look, by their probabilities, not by sampling.

func drawShare(t *rapid.T, name string) float64 {
	return rapid.Float64Range(0.001, 0.999).Draw(t, name)
}

func drawLine(t *rapid.T) line {
	return line{
		rapid.SampledFrom([]float64{0, 1, 1.2, 5}).Draw(t, "ratio"),
		rapid.SampledFrom([]float64{0.001, 0.01, 0.2}).Draw(t, "points"),
	}
}

// Whatever is true on the near side of the line, the mean factor is at most 1: nobody
// gains by betting on what is not so.
func TestMeanFactorIsAtMost1(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLine(t)
		ns, nc := rapid.Int64Range(0, 15).Draw(t, "ns"), rapid.Int64Range(1, 15).Draw(t, "nc")
		qs, ts := drawShare(t, "qs"), drawShare(t, "ts")
		limit, trueLimit := l.at(qs), l.at(ts)
		if limit > 0.99 || trueLimit > 1 {
			t.Skip("no canary is beyond the line")
		}
		part := rapid.Float64Range(0, 1).Draw(t, "part")
		qc, tc := limit+(1-limit)*max(part, 0.001), trueLimit*rapid.Float64Range(0, 1).Draw(t, "true part")
		if rapid.Bool().Draw(t, "for the canary") { // the sides change
			qc, tc = limit*(0.001+0.998*part), trueLimit+(1-trueLimit)*rapid.Float64Range(0, 1).Draw(t, "true rest")
		}
		for _, clump := range []float64{1, 2.5} {
			if mean := meanFactor(l, ns, nc, qs, qc, ts, tc, 1/clump); mean > 1+1e-9 {
				t.Fatalf("line %v, alternative (%v, %v), truth (%v, %v): the mean factor is %v", l, qs, qc, ts, tc, mean)
			}
		}
	})
}

// A clump of errors is on one track, and counts as one error with its power.
func TestMeanFactorOfAClump(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, 20).Draw(t, "size")
		nc := rapid.Int64Range(1, 999).Draw(t, "nc")
		times := rapid.Float64Range(1.01, 100).Draw(t, "times")
		l, power := line{1, 0}, 1/float64(size)
		on := l.logFactor(Look{1000 - nc, 0, nc, size}, .001, .001*times)
		off := l.logFactor(Look{1000 - nc, size, nc, 0}, .001, .001*times)
		theta := float64(nc) / 1000
		if mean := theta*math.Exp(power*on) + (1-theta)*math.Exp(power*off); math.Abs(mean-1) > 1e-9 {
			t.Fatalf("the mean factor is %v, want 1", mean)
		}
	})
}

func TestFactorRisesWithErrorsOfTheCanary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, k := drawLine(t), drawLook(t)
		if k.CanaryRequests == 0 || k.CanaryErrors == k.CanaryRequests || k.StableErrors == k.StableRequests {
			t.Skip()
		}
		qs := rapid.Float64Range(0.001, 0.1).Draw(t, "qs")
		qc := min(1, l.at(qs)*1.5)
		more, other := k, k
		more.CanaryErrors++
		other.StableErrors++
		before := l.logFactor(k, qs, qc)
		if after := l.logFactor(more, qs, qc); after <= before {
			t.Errorf("one more error of the canary: from %v to %v", before, after)
		}
		if after := l.logFactor(other, qs, qc); after > before {
			t.Errorf("one more error of stable: from %v to %v", before, after)
		}
	})
}

// Without points, only the tracks count on which the errors are.
func TestFactorOfRatioIgnoresTheLevel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := drawLook(t)
		if k.CanaryRequests == 0 || k.StableRequests == 0 {
			t.Skip()
		}
		l := line{1.2, 0}
		whole := l.logFactor(k, .001, .01)
		scaled := Look{7 * k.StableRequests, k.StableErrors, 7 * k.CanaryRequests, k.CanaryErrors}
		if got := l.logFactor(scaled, .001/7, .01/7); math.Abs(got-whole) > 1e-6 {
			t.Errorf("7 times the requests: %v, want %v", got, whole)
		}
		first := Look{3 * k.StableRequests, k.StableErrors, 3 * k.CanaryRequests, 0}
		second := Look{2 * k.StableRequests, 0, 2 * k.CanaryRequests, k.CanaryErrors}
		if got := l.logFactor(first, .001, .01) + l.logFactor(second, .001, .01); math.Abs(got-whole) > 1e-6 {
			t.Errorf("in two looks: %v, want %v", got, whole)
		}
		mirrored := Look{k.CanaryRequests, k.CanaryErrors, k.StableRequests, k.StableErrors}
		if got, want := (line{1, 0}).logFactor(mirrored, .01, .001), (line{1, 0}).logFactor(k, .001, .01); math.Abs(got-want) > 1e-6 {
			t.Errorf("with the tracks exchanged: %v, want %v", got, want)
		}
	})
}

func TestDifferenceEvidenceFalls(t *testing.T) {
	looks := []Look{{4500, 5, 500, 9}, {4480, 4, 520, 11}, {4510, 6, 490, 8}}
	last := math.Inf(1)
	for points := 0.0; points < 0.1; points += 0.0005 {
		e := differenceEvidence(Rule{}.withDefaults(), line{1, points}, level{540000, 540}, looks)
		if e >= last {
			t.Fatalf("at %v points, evidence is %v, after %v", points, e, last)
		}
		last = e
	}
}

// A look that says nothing changes nothing, however the stake moves.
func TestStakeIsNeitherLostNorMade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func() []float64 {
			return stakes(nil, drawShare(t, "limit"), rapid.Float64Range(0, 1e6).Draw(t, "requests"))
		}
		m := newMixture(draw(), rapid.Float64Range(0, 1).Draw(t, "reserve"))
		for range rapid.IntRange(0, 1000).Draw(t, "looks") {
			m.spend(1./240, evenBeyond)
		}
		m.spend(rapid.Float64Range(0, 1).Draw(t, "spent"), draw())
		if got := m.value(); math.Abs(got-1) > 1e-9 {
			t.Fatalf("evidence is %v, want 1", got)
		}
	})
}

// The example of the doc comment.
func TestStakes(t *testing.T) {
	got := stakes(nil, 0.001, 360)
	if math.Abs(got[2]-0.007) > 0.0005 || math.Abs(got[6]-0.39) > 0.005 {
		t.Errorf("the stakes are %.3f", got)
	}
}
