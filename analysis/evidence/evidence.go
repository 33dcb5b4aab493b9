package evidence

import "time"

// Look is what happened between two looks at the counters, on both tracks: requests,
// and those of them that were bad. Bad is what the metric says: answered with 5xx, or
// slower than a limit. Every request is in one look only.
type Look struct {
	StableRequests, StableErrors int64
	CanaryRequests, CanaryErrors int64
}

func (k Look) stable() Counts { return Counts{k.StableRequests, k.StableErrors} }
func (k Look) canary() Counts { return Counts{k.CanaryRequests, k.CanaryErrors} }

func (k Look) plus(more Look) Look {
	return Look{
		k.StableRequests + more.StableRequests, k.StableErrors + more.StableErrors,
		k.CanaryRequests + more.CanaryRequests, k.CanaryErrors + more.CanaryErrors,
	}
}

// Valid reports whether the numbers can be counts of requests and of the errors among
// them. Counters that were read apart or that went backwards give others.
func (k Look) Valid() bool { return k.stable().valid() && k.canary().valid() }

// Counts are the requests of one track, and the errors among them.
type Counts struct{ Requests, Errors int64 }

func (c Counts) valid() bool { return c.Errors >= 0 && c.Errors <= c.Requests }

// Share is the share of errors, 0 without requests.
func (c Counts) Share() float64 {
	if c.Requests == 0 {
		return 0
	}
	return float64(c.Errors) / float64(c.Requests)
}

// design holds the numbers of the test that no user sets.
type design struct {
	reserve     float64 // share of the stake that is kept for faults that begin late
	passReserve float64 // the same of the evidence for the canary
	gross       float64 // share of the stake on the gross line in the warm-up
	warmUpGain  float64 // what the warm-up as a whole may multiply evidence by; 0: it does not count
	evenStakes  bool    // share the stake evenly, whatever the traffic
	clump       float64 // 0: estimate it
}

var standard = design{reserve: 0.4, passReserve: 0.2, gross: 0.15, warmUpGain: 3}

// Evidence is all that is known of one metric in one rollout. The zero value is ready to
// use. A copy is independent of its original, and == compares.
type Evidence struct {
	total    Look // since the start
	atWeight Look // since the weight was set
	warm     int64

	equal    mixture // against "the canary is no worse than stable"
	margin   mixture // against "the canary is within the margin"
	absolute mixture // against "the canary is within the bound"
	stable   mixture // against "stable is within the bound"
	gross    mixture // against "the canary is within the gross line", in the warm-up only
	pass     mixture // against "the canary is beyond the limit", since the weight was set
	clear    mixture // against "the canary is beyond the gross line", since the weight was set

	level  level
	clumps clumps

	failed, passed, cleared bool
}

// level is stable's share of errors of late: older looks count less.
type level struct{ requests, errors float64 }

// share is never 0: it is 0.1% while nothing is known, and half an error too many later.
func (l level) share() float64 { return (l.errors + 0.5) / (l.requests + 500) }

func (l *level) add(c Counts, keep float64) {
	l.errors = l.errors*keep + float64(c.Errors)
	l.requests = l.requests*keep + float64(c.Requests)
}

// History adds what stable did before the rollout, oldest first, one element for each
// interval. An hour is enough. It says how high the share of errors is and whether
// errors come in clumps; without it judging is right, but slower.
func (e *Evidence) History(rule Rule, stable []Counts) {
	rule = rule.withDefaults()
	for _, c := range stable {
		if c.valid() {
			e.know(rule, c)
		}
	}
}

// know learns from stable. It comes after the judgement of a look: what a look is
// judged by must not depend on its errors.
func (e *Evidence) know(rule Rule, stable Counts) {
	e.level.add(stable, rule.keep())
	e.clumps.add(stable)
}

// NewWeight must be called after each change of the weight, with all looks before it
// added: the evidence for the canary starts again, the evidence against it goes on.
func (e *Evidence) NewWeight() {
	e.pass, e.clear = mixture{}, mixture{}
	e.passed, e.cleared = false, false
	e.atWeight = Look{}
}

// Add judges the next look. A look that is not valid is left out.
func (e *Evidence) Add(rule Rule, k Look) {
	if k.Valid() {
		e.add(rule.withDefaults(), k, standard)
	}
}

func (e *Evidence) add(rule Rule, k Look, d design) {
	e.total, e.atWeight = e.total.plus(k), e.atWeight.plus(k)
	j := judgement{design: d, rule: rule, look: k, level: e.level.share(), damp: damping{d.clump, rule.Cap}}
	if d.clump == 0 {
		j.damp.clump = e.clumps.estimate()
	}
	j.stableRequests, j.canaryRequests = e.expect(rule)
	if e.warmingUp(rule) {
		e.warmUp(&j)
	} else {
		e.judge(&j)
		j.favour(&e.pass, rule.limit())
	}
	j.favour(&e.clear, rule.gross(j.level))
	e.know(rule, k.stable())
	e.conclude(rule, d)
}

// expect returns how many requests stable and the canary are expected to get in an hour,
// at the weight as it is.
func (e *Evidence) expect(rule Rule) (stable, canary float64) {
	stable = e.level.requests * (1 - rule.keep()) * (time.Hour.Seconds() / rule.Interval.Seconds())
	if e.atWeight.StableRequests == 0 {
		return stable, 0
	}
	return stable, stable * float64(e.atWeight.CanaryRequests) / float64(e.atWeight.StableRequests)
}

// judgement is one look and what it is judged by. Nothing in it depends on the errors of
// the look.
type judgement struct {
	design
	rule  Rule
	look  Look
	level float64
	damp  damping

	stableRequests, canaryRequests float64 // expected in an hour

	logs, shares [maxParts]float64 // room for what is computed
}

// against multiplies evidence against "the canary is within the line", and returns what
// it would be if it began now.
func (j *judgement) against(m *mixture, l line) (fresh mixture) {
	shares := evenBeyond
	if !j.evenStakes {
		shares = stakes(j.shares[:0], l.at(j.level), j.canaryRequests)
	}
	fresh = newMixture(shares, j.reserve)
	if !m.begun() {
		*m = fresh
	}
	m.spend(j.rule.spent(), shares)
	if j.look.CanaryRequests > 0 {
		m.multiply(l.beyond(j.logs[:0], j.look, j.level), j.damp)
	}
	return fresh
}

// stableAgainst is against with stable in the canary's place. The line must be absolute.
func (j *judgement) stableAgainst(m *mixture, l line) {
	swapped := *j
	swapped.look = Look{CanaryRequests: j.look.StableRequests, CanaryErrors: j.look.StableErrors}
	swapped.canaryRequests = j.stableRequests
	swapped.against(m, l)
}

// favour multiplies evidence against "the canary is beyond the line".
func (j *judgement) favour(m *mixture, l line) {
	if !m.begun() {
		*m = newMixture(evenWithin, j.passReserve)
	}
	m.spend(j.rule.spent(), evenWithin)
	if j.look.CanaryRequests > 0 {
		m.multiply(l.within(j.logs[:0], j.look, j.level), j.damp)
	}
}

func (e *Evidence) warmingUp(rule Rule) bool { return e.warm < rule.warmUpLooks() }

// warmUp judges a look of the warm-up, which begins with the canary's first request: by
// the gross line, and within limits by the others.
func (e *Evidence) warmUp(j *judgement) {
	if !e.gross.begun() {
		shares := grossBeyond
		if j.evenStakes {
			shares = evenBeyond
		}
		e.gross = newMixture(shares, 0)
	}
	if j.warmUpGain > 0 {
		e.judge(j)
	}
	if j.look.CanaryRequests > 0 {
		e.gross.multiply(j.rule.gross(j.level).beyond(j.logs[:0], j.look, j.level), j.damp)
	} else if e.warm == 0 {
		return
	}
	if e.warm++; !e.warmingUp(j.rule) {
		e.gross.freeze()
	}
}

// judge multiplies the evidence against the canary, of all lines but the gross one.
func (e *Evidence) judge(j *judgement) {
	e.gain(j, &e.equal, line{1, 0}, false)
	e.gain(j, &e.margin, j.rule.margin(), false)
	if !j.rule.absolute() {
		return
	}
	bound := line{0, j.rule.Bound}
	j.stableAgainst(&e.stable, bound)
	// What goes wrong on both tracks is not the canary's fault, and must not be held against
	// it when stable recovers: stable has more requests and recovers first.
	e.gain(j, &e.absolute, bound, e.stableUnhealthy(j.rule))
}

// gain multiplies evidence. In the warm-up it gains little, and excused it gains nothing.
func (e *Evidence) gain(j *judgement, m *mixture, l line, excused bool) {
	fresh := j.against(m, l)
	switch {
	case excused:
		m.limit(1, fresh)
	case e.warmingUp(j.rule):
		m.limit(j.warmUpGain, fresh)
	}
}

// against returns the evidence of the warm-up and of a mixture together.
func (e *Evidence) against(m *mixture, d design) float64 {
	return d.gross*e.gross.value() + (1-d.gross)*m.value()
}

func (e *Evidence) stableUnhealthy(rule Rule) bool {
	return rule.absolute() && e.stable.value() >= rule.equalThreshold()
}

// conclude remembers what was reached: a verdict stays when evidence falls again.
func (e *Evidence) conclude(rule Rule, d design) {
	e.failed = e.failed || e.fails(rule, d)
	e.passed = e.passed || e.pass.value() >= passThreshold
	e.cleared = e.cleared || e.clear.value() >= passThreshold
}

func (e *Evidence) fails(rule Rule, d design) bool {
	equal := e.against(&e.equal, d) >= rule.equalThreshold()
	if !rule.absolute() || e.stableUnhealthy(rule) {
		return equal && e.against(&e.margin, d) >= rule.marginThreshold()
	}
	return e.against(&e.absolute, d) >= rule.equalThreshold() && (rule.Strict || equal)
}
