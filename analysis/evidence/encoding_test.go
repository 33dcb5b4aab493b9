package evidence

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawLook draws a look of any traffic, now and then without any.
func drawLook(t *rapid.T) Look {
	var k Look
	k.StableRequests = rapid.SampledFrom([]int64{0, 1, 45, 450, 45000}).Draw(t, "stable requests")
	k.CanaryRequests = rapid.SampledFrom([]int64{0, 1, 5, 50, 5000}).Draw(t, "canary requests")
	k.StableErrors = min(k.StableRequests, rapid.Int64Range(0, 30).Draw(t, "stable errors"))
	k.CanaryErrors = min(k.CanaryRequests, rapid.Int64Range(0, 30).Draw(t, "canary errors"))
	return k
}

func drawRule(t *rapid.T) Rule {
	return Rule{
		Bound:  rapid.SampledFrom([]float64{0, 0.01, 0.5}).Draw(t, "bound"),
		Strict: rapid.Bool().Draw(t, "strict"),
		WarmUp: rapid.SampledFrom([]time.Duration{NoWarmUp, 0, 10 * time.Second}).Draw(t, "warm-up"),
	}
}

// One manager judges without a break. Another one is restarted after every look. Both
// must hold the same bits at every moment.
func TestRestoredStateIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := drawRule(t)
		var whole, restarted Evidence
		for range rapid.IntRange(0, 40).Draw(t, "looks") {
			if rapid.IntRange(0, 9).Draw(t, "new weight") == 0 {
				whole.NewWeight()
				restarted.NewWeight()
			}
			k := drawLook(t)
			whole.Add(rule, k)
			restarted.Add(rule, k)
			encoded, err := restarted.MarshalText()
			if err != nil {
				t.Fatal(err)
			}
			restarted = Evidence{}
			if err := restarted.UnmarshalText(encoded); err != nil {
				t.Fatal(err)
			}
			if restarted != whole {
				t.Fatalf("restored %+v, want %+v", restarted, whole)
			}
		}
	})
}

func TestEncodingIsSmall(t *testing.T) {
	for _, rule := range []Rule{{}, {Bound: 0.01}} {
		var e Evidence
		history := make([]Counts, 720)
		for i := range history {
			history[i] = Counts{45_000, int64(450 + i%40)}
		}
		e.History(rule, history)
		for i := range int64(720) {
			e.Add(rule, Look{45_000, 450 + i%30, 5_000, 50 + i%20})
		}
		encoded, _ := e.MarshalText()
		if len(encoded) >= 600 {
			t.Errorf("with bound %v, the state has %d characters, want fewer than 600", rule.Bound, len(encoded))
		}
	}
}

func TestZeroEvidenceIsEncoded(t *testing.T) {
	encoded, err := json.Marshal(map[string]Evidence{"errors": {}})
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[string]Evidence
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		t.Fatalf("%s: %v", encoded, err)
	}
	if decoded["errors"] != (Evidence{}) {
		t.Errorf("decoded %+v", decoded)
	}
}

// A damaged state is refused and never half read.
func TestDamagedStateIsRefused(t *testing.T) {
	var e Evidence
	for _, k := range looksR16 {
		e.Add(Rule{WarmUp: NoWarmUp}, k)
	}
	good, _ := e.MarshalText()
	raw, _ := base64.RawStdEncoding.DecodeString(string(good))
	damaged := map[string][]byte{
		"empty":           {},
		"another version": append([]byte{encodingVersion + 1}, raw[1:]...),
		"too long":        append(slices.Clone(raw), 0),
		"negative number": append(slices.Clone(raw[:len(raw)-1]), 0xff),
	}
	for size := 1; size < len(raw); size++ {
		damaged["cut"] = raw[:size]
		for name, bytes := range damaged {
			read := e
			if err := read.UnmarshalText([]byte(base64.RawStdEncoding.EncodeToString(bytes))); err == nil {
				t.Fatalf("%s, %d bytes: no error", name, len(bytes))
			}
			if read != e {
				t.Fatalf("%s: the state has changed", name)
			}
		}
	}
	if err := e.UnmarshalText([]byte("?")); err == nil {
		t.Error("text that is not base64 is read")
	}
}

// Whoever edits stored evidence must not make NaN of it, which is neither high nor low.
func TestImpossibleEvidenceIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Evidence){
		"more errors than requests": func(e *Evidence) { e.total.CanaryErrors = e.total.CanaryRequests + 1 },
		"too many requests":         func(e *Evidence) { e.atWeight.StableRequests = 1 << 54 },
		"a level above 1":           func(e *Evidence) { e.level.errors = 2 * e.level.requests },
		"an infinite level":         func(e *Evidence) { e.level = level{1e300, 1e300} },
		"a mixture above its bound": func(e *Evidence) { e.equal.parts[0] = 1e200 },
		"a reserve above 1":         func(e *Evidence) { e.pass.reserve = 2 },
		"clumps of everything":      func(e *Evidence) { e.clumps.sum = 1e200 },
	} {
		t.Run(name, func(t *testing.T) {
			var e, read Evidence
			for _, k := range looksR16 {
				e.Add(Rule{WarmUp: NoWarmUp}, k)
			}
			change(&e)
			if text, _ := e.MarshalText(); read.UnmarshalText(text) == nil {
				t.Errorf("it was read as %+v", read)
			}
		})
	}
}
