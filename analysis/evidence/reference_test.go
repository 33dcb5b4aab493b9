package evidence

import (
	"math"
	"testing"
)

// The values of this file were computed by another program in another language. No
// value comes from this package.

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	// The values have 12 digits. Small ones are given to 12 places after the point.
	if math.Abs(got-want) > 5e-11*math.Max(math.Abs(want), 0.1) {
		t.Errorf("%s is %.15g, want %.12g", what, got, want)
	}
}

func TestLogFactorOfRatio(t *testing.T) {
	// d = 0: only the track of each error counts, so the numbers of requests do not.
	k := Look{StableRequests: 900, StableErrors: 1, CanaryRequests: 100, CanaryErrors: 3}
	near(t, "R1", line{1, 0}.logFactor(k, 0.001, 0.005), 3.48242479082)
	near(t, "R2", line{1.2, 0}.logFactor(k, 0.001, 0.005), 3.01467062962)
}

var looksR3 = []Look{{900, 1, 100, 0}, {905, 0, 95, 2}, {880, 2, 120, 1}, {450, 1, 450, 6}, {455, 2, 445, 7}}

func TestMeanOfAlternatives(t *testing.T) {
	want := []float64{.657396228792, 7.6561387798, 6.76132386911, 38.2817487773, 124.693662827}
	m := newMixture(evenBeyond, 0)
	for i, k := range looksR3 {
		var logs []float64
		m.multiply(line{1, 0}.beyond(logs, k, 0.001), damping{1, math.Inf(1)})
		near(t, "R3", m.value(), want[i])
	}
}

func TestProjection(t *testing.T) {
	ps, pc := line{1.2, .0005}.nearest(4500, 500, .001, .01)
	near(t, "R4 ps", ps, .00166666666667)
	near(t, "R4 pc", pc, .0025)
	k := Look{4500, 5, 500, 6}
	near(t, "R5", line{1.2, .0005}.logFactor(k, .001, .01), 5.01363804789)
	near(t, "R6", line{1.2, 0}.logFactor(k, .001, .01), 5.87901736956)
	near(t, "R7", line{0, .01}.logFactor(k, .001, .02), -.84111691664)

	// R6 again, from the share of traffic alone.
	const theta, r, r0, errors = .1, 10, 1.2, 11
	conditional := 6*math.Log(r/r0) + errors*(math.Log(1-theta+r0*theta)-math.Log(1-theta+r*theta))
	near(t, "R6 conditional", conditional, 5.87901736956)
}

func TestMeanFactorByEnumeration(t *testing.T) {
	for ts, want := range map[float64]float64{.01: .997465754314, .05: .972042111844, .2: .703988906186} {
		l := line{1.2, .01}
		near(t, "R8", meanFactor(l, 18, 6, .05, .3, ts, l.at(ts), 1), want)
	}
}

// meanFactor is the mean of factor^power over all outcomes of ns and nc independent
// requests that fail with the chances ts and tc.
func meanFactor(l line, ns, nc int64, qs, qc, ts, tc, power float64) float64 {
	mean := 0.0
	for xs := range ns + 1 {
		for xc := range nc + 1 {
			mean += binomial(ns, xs, ts) * binomial(nc, xc, tc) *
				math.Exp(power*l.logFactor(Look{ns, xs, nc, xc}, qs, qc))
		}
	}
	return mean
}

func binomial(n, x int64, p float64) float64 {
	ways := -logBeta(float64(x+1), float64(n-x+1)) - math.Log(float64(n+1))
	return math.Exp(ways + times(float64(x), math.Log(p)) + times(float64(n-x), math.Log1p(-p)))
}

func TestRatioInterval(t *testing.T) {
	looks := []Look{{4500, 5, 500, 1}, {4480, 4, 520, 2}, {4510, 6, 490, 3}}
	want := []Interval{{.00972142403085, 24.1591434945}, {.214977225006, 18.7656824475}, {.601269720155, 15.0545909988}}
	for i := range looks {
		got := RatioInterval(looks[:i+1], .05)
		near(t, "R9 low", got.Low, want[i].Low)
		near(t, "R9 high", got.High, want[i].High)
	}
}

func TestAbsolute(t *testing.T) {
	for _, c := range []struct {
		errors, requests int64
		want             float64
	}{{3, 60, 4.07014286849}, {0, 300, .093471084706}, {12, 600, 2.89176661005}} {
		m := newMixture(evenBeyond, 0)
		var logs []float64
		k := Look{CanaryRequests: c.requests, CanaryErrors: c.errors}
		m.multiply(line{0, .01}.beyond(logs, k, .001), damping{1, math.Inf(1)})
		near(t, "R10", m.value(), c.want)
	}
}

func TestShareInterval(t *testing.T) {
	for c, want := range map[Counts]Interval{
		{60, 3}:   {.00346184022237, .193684283609},
		{300, 0}:  {0, .0211739664978},
		{600, 12}: {.00578106583455, .0476853808114},
	} {
		got := ShareInterval(c, .05)
		near(t, "R11 low", got.Low, want.Low)
		near(t, "R11 high", got.High, want.High)
	}
}

func TestPairs(t *testing.T) {
	for p, want := range map[Pairs]float64{
		{7, 0}: 44.8327771834, {8, 0}: 82.1540287278, {9, 0}: 151.87582866, {12, 3}: 8.9064849646,
	} {
		near(t, "R12", p.Evidence(), want)
	}
}

func TestClumpEstimate(t *testing.T) {
	errors := []int64{0, 3, 1, 0, 0, 12, 0, 2, 1, 1}
	requests := []int64{900, 910, 905, 890, 900, 920, 900, 880, 910, 900}
	var c clumps
	for i := range errors {
		c.add(Counts{requests[i], errors[i]})
	}
	if got := c.mean(20); math.Abs(got-1.81539472473) > 1e-6 { // the values are kept with 7 digits
		t.Errorf("R13 is %.12g", got)
	}
}

func TestFactorOfClumps(t *testing.T) {
	mean := func(ratio, r0, r, power float64, all int64) float64 {
		const theta = .25
		p := ratio * theta / (1 - theta + ratio*theta)
		mean := 0.0
		for xc := range all + 1 {
			k := Look{StableRequests: 750, StableErrors: all - xc, CanaryRequests: 250, CanaryErrors: xc}
			mean += binomial(all, xc, p) * math.Exp(power*line{r0, 0}.logFactor(k, .001, .001*r))
		}
		return mean
	}
	near(t, "R14 binomial", mean(1, 1, 5, 1, 5), 1)
	near(t, "R14 true ratio 1.1", mean(1.1, 1.3, 3, 1, 5), .850378875079)

	hypergeometric := 0.0
	for xc := int64(0); xc <= 5; xc++ {
		k := Look{StableRequests: 18, StableErrors: 5 - xc, CanaryRequests: 6, CanaryErrors: xc}
		hypergeometric += choose(6, xc) * choose(18, 5-xc) / choose(24, 5) * math.Exp(line{1, 0}.logFactor(k, .001, .005))
	}
	near(t, "R14 hypergeometric", hypergeometric, .717850084698)

	// One clump of 3 errors lands on the canary with the chance 1/4.
	clump := func(power float64) float64 {
		on := Look{StableRequests: 750, CanaryRequests: 250, CanaryErrors: 3}
		off := Look{StableRequests: 750, StableErrors: 3, CanaryRequests: 250}
		l := line{1, 0}
		return .25*math.Exp(power*l.logFactor(on, .001, .005)) + .75*math.Exp(power*l.logFactor(off, .001, .005))
	}
	near(t, "R14 clump", clump(1), 4)
	near(t, "R14 clump, power 1/3", clump(1./3), 1)
}

func choose(n, x int64) float64 {
	return math.Exp(-logBeta(float64(x+1), float64(n-x+1)) - math.Log(float64(n+1)))
}

// The chance that evidence ever reaches 100 where the canary is like stable, exactly: by
// recursion over how many errors there were and how many were the canary's.
func TestChanceOfEverFailing(t *testing.T) {
	want := map[int]float64{20: .00232986333684, 100: .00366520514815, 400: .00483612838574}
	const theta = .1
	alive, failed := []float64{1}, 0.0
	for all := 1; all <= 400; all++ {
		next := make([]float64, all+1)
		for xc, p := range alive {
			next[xc] += p * (1 - theta)
			next[xc+1] += p * theta
		}
		for xc := range next {
			m := newMixture(evenBeyond, 0)
			k := Look{9000, int64(all - xc), 1000, int64(xc)}
			m.multiply(line{1, 0}.beyond(nil, k, .001), damping{1, math.Inf(1)})
			if m.value() >= 100 {
				failed += next[xc]
				next[xc] = 0
			}
		}
		alive = next
		if expected, ok := want[all]; ok {
			near(t, "R15", failed, expected)
		}
	}
	if failed > .01 {
		t.Errorf("the chance of a false alarm is %v, want at most 0.01", failed)
	}
}

var looksR16 = []Look{{450, 1, 50, 2}, {450, 1, 50, 2}, {452, 0, 48, 3}, {447, 1, 53, 1}, {455, 0, 45, 4}, {449, 2, 51, 3}}

func TestWholeJudge(t *testing.T) {
	rule := Rule{WarmUp: 2 * DefaultInterval}.withDefaults()
	equal := []float64{.838133283146, .821306102546, 3.47369848827, 6.09316449925, 55.1908249752, 499.113561413}
	margin := []float64{.838133283146, .821306102546, 3.47770750655, 4.86945162408, 42.9813863168, 371.64060097}
	pass := []float64{.265228899341, .202618212552, .0709267884093, .0376507648713}
	// These values are of a test that ignores the normal lines in the warm-up and shares its
	// stake evenly.
	d := design{reserve: 0.5, gross: 0.2, evenStakes: true, clump: 1}
	var e Evidence
	e.History(rule, []Counts{{54000, 54}})
	for i, k := range looksR16 {
		e.add(rule, k, d)
		near(t, "R16", e.against(&e.equal, d), equal[i])
		near(t, "R17", e.against(&e.margin, d), margin[i])
		if i >= 2 {
			near(t, "R18", e.pass.value(), pass[i-2])
		}
	}
	if got := e.Verdict(rule).Outcome; got != Fail {
		t.Errorf("the outcome is %v, want Fail", got)
	}

	var clumped Evidence
	clumped.History(rule, []Counts{{54000, 54}})
	d.clump = 2.5
	for _, k := range looksR16 {
		clumped.add(rule, k, d)
	}
	near(t, "R19 equal", clumped.against(&clumped.equal, d), 70.2926048679)
	near(t, "R19 margin", clumped.against(&clumped.margin, d), 44.1673687886)
}

// The judge as it is: the warm-up counts a little, and the stake depends on the traffic.
func TestStandardJudge(t *testing.T) {
	rule := Rule{WarmUp: 2 * DefaultInterval}.withDefaults()
	for _, c := range []struct {
		clump         float64
		equal, margin [6]float64
	}{
		{
			1,
			[6]float64{1.90018454866, 1.88999443929, 15.06432042, 28.6458308554, 282.51785901, 2687.64120355},
			[6]float64{1.89039152689, 1.88879838544, 14.7355543438, 21.3937931685, 209.645407665, 1907.36542452},
		},
		{
			2.5,
			[6]float64{1.6544463374, 1.88587238953, 10.4754982568, 12.8129970409, 113.084545907, 387.357713531},
			[6]float64{1.4634697675, 1.82403301903, 9.56354808288, 10.0905654493, 85.9460266263, 226.521277923},
		},
	} {
		d := standard
		d.clump = c.clump
		var e Evidence
		e.History(rule, []Counts{{54000, 54}})
		for i, k := range looksR16 {
			e.add(rule, k, d)
			near(t, "equal", e.against(&e.equal, d), c.equal[i])
			near(t, "margin", e.against(&e.margin, d), c.margin[i])
		}
	}
}

func TestDifferenceBound(t *testing.T) {
	looks := []Look{{4500, 5, 500, 9}, {4480, 4, 520, 11}, {4510, 6, 490, 8}}
	before := Counts{540000, 540}
	rule := Rule{}.withDefaults()
	for points, want := range map[float64]float64{.005: 21281.14476, .01: 4.97769476537} {
		var start level
		start.add(before, 0)
		near(t, "R20", differenceEvidence(rule, line{1, points}, start, looks), want)
	}
	near(t, "R20 bound", DifferenceBound(rule, before, looks, .01), .00748547001441)
}
