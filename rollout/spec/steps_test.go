package spec_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout/spec"
)

func weight(w int) spec.Step       { return spec.Step{Kind: spec.SetWeight, Weight: w} }
func scale(c spec.Scale) spec.Step { return spec.Step{Kind: spec.SetScale, Scale: c} }

func header(name, value, pattern string) spec.Step {
	return spec.Step{Kind: spec.MatchHeader, Match: spec.Match{Header: name, Value: value, Pattern: pattern}}
}

func job(name, result string) spec.Step {
	condition, err := spec.ParseCondition(result)
	if err != nil {
		panic(err)
	}
	return spec.Step{Kind: spec.RunJob, Job: name, Result: condition}
}

func wait(d time.Duration) spec.Step { return spec.Step{Kind: spec.Wait, Duration: d} }

var (
	aStep    = spec.StepSyntax()
	pause    = spec.Step{Kind: spec.Pause}
	analysis = spec.Step{Kind: spec.RunAnalysis}
)

func TestParseSteps(t *testing.T) {
	cases := map[string]struct {
		text string
		want []spec.Step
	}{
		"weights and waits": {
			"10%, 5m, 100%",
			[]spec.Step{weight(10), wait(5 * time.Minute), weight(100)},
		},
		"every kind of step, without spaces": {
			"0%,pause,1h30m,analysis,2d",
			[]spec.Step{weight(0), pause, wait(90 * time.Minute), analysis, wait(48 * time.Hour)},
		},
		"one line broken over several": {
			"10%,\n  30s,\n  100%\n",
			[]spec.Step{weight(10), wait(30 * time.Second), weight(100)},
		},
		"the same weight again is a weight that does not fall": {
			"20%, pause, 20%",
			[]spec.Step{weight(20), pause, weight(20)},
		},
		"a list of Argo Rollouts": {
			"- setWeight: 20\n- pause: {}\n- setWeight: 40\n- pause: {duration: 10}\n- pause:\n    duration: 1h\n",
			[]spec.Step{weight(20), pause, weight(40), wait(10 * time.Second), wait(time.Hour)},
		},
		"seconds of Argo Rollouts in quotes": {
			`- setWeight: 20` + "\n" + `- pause: {duration: "300"}`,
			[]spec.Step{weight(20), wait(5 * time.Minute)},
		},
		"a bare analysis and a bare pause in a list": {
			"\n- setWeight: 0\n- analysis: {}\n- analysis:\n- pause:\n",
			[]spec.Step{weight(0), analysis, analysis, pause},
		},
		"a list under a comment, with words of the one-line form": {
			"# slowly\n- 5%\n- 1m\n- pause\n",
			[]spec.Step{weight(5), wait(time.Minute), pause},
		},
		"a list in JSON": {
			`[{"setWeight": 5}, {"pause": {"duration": "1m"}}]`,
			[]spec.Step{weight(5), wait(time.Minute)},
		},
		"scales": {
			"scale=3, scale=50%, scale = traffic, 10%",
			[]spec.Step{scale(spec.Scale{Replicas: 3}), scale(spec.Scale{Percent: 50}), scale(spec.Scale{Traffic: true}), weight(10)},
		},
		"a header that says always or never": {"header=X-Canary, 10%", []spec.Step{header("X-Canary", "", ""), weight(10)}},
		"a header with a value": {
			"header=X-Canary:beta/2.0~x:y, 10%", []spec.Step{header("X-Canary", "beta/2.0~x:y", ""), weight(10)},
		},
		"a header with a regular expression": {
			`header=X-Region~^(eu|us)-[0-9]+\.a=b:c~$, 10%`, []spec.Step{header("X-Region", "", `^(eu|us)-[0-9]+\.a=b:c~$`), weight(10)},
		},
		"a cookie": {
			"0%, cookie=canary_1", []spec.Step{weight(0), {Kind: spec.MatchCookie, Match: spec.Match{Cookie: "canary_1"}}},
		},
		"a Job": {"0%, job=smoke-test.v2", []spec.Step{weight(0), {Kind: spec.RunJob, Job: "smoke-test.v2"}}},
		"a Job with a result": {
			"0%, job=smoke >= 0.9, job=smoke<500ms, job = smoke != -1, job=smoke <=5%",
			[]spec.Step{
				weight(0), job("smoke", ">= 0.9"), job("smoke", "< 500ms"), job("smoke", "!= -1"), job("smoke", "<= 5%"),
			},
		},
		"a Job in a list": {
			"- setWeight: 0\n- job: {name: smoke}\n- job:\n    name: smoke\n    result: '>= 0.9'\n- job=smoke >= 90%\n",
			[]spec.Step{weight(0), {Kind: spec.RunJob, Job: "smoke"}, job("smoke", ">= 0.9"), job("smoke", ">= 90%")},
		},
		"new words in a list": {
			"- scale=1\n- header=X-Canary:beta\n- cookie=canary\n- job=smoke\n- 10%\n",
			[]spec.Step{
				scale(spec.Scale{Replicas: 1}), header("X-Canary", "beta", ""), {Kind: spec.MatchCookie, Match: spec.Match{Cookie: "canary"}},
				{Kind: spec.RunJob, Job: "smoke"}, weight(10),
			},
		},
		"canary scales of Argo Rollouts": {
			"- setCanaryScale: {replicas: 3}\n- setCanaryScale:\n    weight: 25\n- setWeight: 20\n- setCanaryScale: {matchTrafficWeight: true}\n",
			[]spec.Step{scale(spec.Scale{Replicas: 3}), scale(spec.Scale{Percent: 25}), weight(20), scale(spec.Scale{Traffic: true})},
		},
		"a header route of Argo Rollouts, exact": {
			"- setWeight: 0\n- setHeaderRoute:\n    name: set-header-1\n    match:\n    - headerName: Custom-Header1\n      headerValue:\n " +
				"       exact: Mozilla\n",
			[]spec.Step{weight(0), header("Custom-Header1", "Mozilla", "")},
		},
		"a header route of Argo Rollouts, by regular expression": {
			"- setWeight: 0\n- setHeaderRoute: {match: [{headerName: X-Region, headerValue: {regex: \"eu-.*\"}}]}\n",
			[]spec.Step{weight(0), header("X-Region", "", "eu-.*")},
		},
		"a header route of Argo Rollouts, by prefix, of which nothing is an expression": {
			"- setWeight: 0\n- setHeaderRoute: {match: [{headerName: Agent, headerValue: {prefix: \"v1.2\"}}]}\n",
			[]spec.Step{weight(0), header("Agent", "", `^v1\.2.*`)},
		},
		"as many steps as are allowed": {
			strings.Repeat("1m,", 99) + "5%",
			append(repeat(wait(time.Minute), 99), weight(5)),
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := spec.ParseSteps(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func repeat(s spec.Step, n int) []spec.Step {
	steps := make([]spec.Step, n)
	for i := range steps {
		steps[i] = s
	}
	return steps
}

func TestParseStepsErrors(t *testing.T) {
	const (
		aWeight   = `a weight is a whole number 0..100`
		aDuration = `a duration is a number and a unit (30s, 5m, 1h, 2d), more than 0 and at most 365d`
		anItem    = `a step has exactly one of setWeight, pause, analysis, setCanaryScale, setHeaderRoute, job`
		noWeight  = `has no weight, so the new version would never see traffic`
	)
	cases := map[string]struct{ text, want string }{
		"a weight above 100":          {"10%, 120%", `"120%": ` + aWeight},
		"a weight that overflows":     {"99999999999999999999%", `"99999999999999999999%": ` + aWeight},
		"a negative weight":           {"-5%", `"-5%": ` + aWeight},
		"a signed weight":             {"+5%", `"+5%": ` + aWeight},
		"a weight with a fraction":    {"0.5%", `"0.5%": ` + aWeight},
		"a weight without a number":   {"%", `"%": ` + aWeight},
		"a bare number":               {"10", `"10": ` + aStep},
		"a falling weight":            {"50%, 5m, 20%", `"20%": comes after 50%, and a weight never falls: traffic goes back by abort only`},
		"nothing at all":              {"", `"": ` + aStep},
		"a comma too many at the end": {"10%, 5m,", `"": ` + aStep},
		"a word nobody knows":         {"10%, wait", `"wait": ` + aStep},
		"a missing comma":             {"10% 5m", `"10% 5m": ` + aStep},
		"a name that is no step":      {"10%, weight", `"weight": ` + aStep},
		"no time":                     {"10%, 0s", `"0s": ` + aStep},
		"a time in the past":          {"10%, -5m", `"-5m": ` + aStep},
		"a time of more than a year":  {"10%, 366d", `"366d": ` + aStep},
		"days that overflow":          {"10%, 213504d", `"213504d": ` + aStep}, // 25 minutes, in 64 bits
		"no weight":                   {"5m, pause", `"5m, pause": ` + noWeight},
		"too many steps": {
			strings.Repeat("1m,", 100) + "5%", `"1m,1m,1m,1m,1m,1m,1m..."` + `: has 101 steps, at most 100 are allowed`,
		},

		"an empty list":         {"[]", `"[]": ` + noWeight},
		"an empty list item":    {"- 5%\n-\n", `null: ` + anItem},
		"a number in a list":    {"- 10", `10: ` + anItem},
		"two steps in one item": {"- setWeight: 5\n  pause: {}", `{"pause":{},"setWeight":5}: ` + anItem},
		"an item twice the same": {
			"- setWeight: 5\n  setWeight: 6",
			"not a YAML list of steps: error converting YAML to JSON: yaml: unmarshal errors:\n  line 2: key \"setWeight\" already set in map",
		},
		"a weight above 100 in a list":       {"- setWeight: 101", `"setWeight: 101": ` + aWeight},
		"a negative weight in a list":        {"- setWeight: -1", `"setWeight: -1": ` + aWeight},
		"a weight that is missing in a list": {"- setWeight:", `"setWeight: <nil>": ` + aWeight},
		"a falling weight in a list": {
			"- setWeight: 5\n- setWeight: 4", `"4%": comes after 5%, and a weight never falls: traffic goes back by abort only`,
		},
		"an analysis with templates": {
			"- setWeight: 5\n- analysis: {templates: []}",
			`{"analysis":{"templates":[]}}: an analysis step takes no argument here; what to measure is written in headgate.dev/analysis`,
		},
		"a step of Argo Rollouts only": {
			"- experiment: {}",
			`"experiment": there are no experiments; preview the canary under headgate.dev/preview-host or test it with a job step`,
		},
		"a step that nobody has": {
			"- sing: {}", `"sing": there is no such step; the steps are setWeight, pause, analysis, setCanaryScale, setHeaderRoute, job`,
		},
		"a pause of nothing known": {
			"- pause: {until: tomorrow}", `{"pause":{"until":"tomorrow"}}: a pause has a duration, or is empty to wait for a person`,
		},
		"a pause with more than a duration": {
			"- pause: {duration: 5m, until: noon}",
			`{"pause":{"duration":"5m","until":"noon"}}: a pause has a duration, or is empty to wait for a person`,
		},
		"a pause that is a word": {"- pause: 5m", `{"pause":"5m"}: a pause has a duration, or is empty to wait for a person`},
		"a pause of no time":     {"- pause: {duration: 0}", `pause: "0s": ` + aDuration},
		"a pause that overflows": {"- pause: {duration: 99999999999999}", `pause: "99999999999999s": ` + aDuration},
		"a pause of an odd time": {"- pause: {duration: soon}", `pause: "soon": ` + aDuration},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			steps, err := spec.ParseSteps(c.text)
			if err == nil {
				t.Fatalf("no error, but steps %v", steps)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What of the new kinds is refused, and what one may write instead.
func TestParseStepsErrorsOfOtherKinds(t *testing.T) {
	const (
		aScale     = `a scale is a number of pods (3), a percentage of the stable pods (50%), or traffic for as many pods as the weight needs`
		aHeader    = `a header is a name (X-Canary), a name and a value (X-Canary:beta), or a name and a regular expression (X-Region~eu-.*)`
		aValue     = `the value of a header has letters, digits and /-._~: only`
		aPattern   = `is not a regular expression that every router takes: it may have letters, digits and /-._~:^$[](){}*+?|&=\ only`
		aCookie    = `is not the name of a cookie: name one whose value is always for the canary and never for stable`
		aJob       = `is not the name of a CronJob: name a suspended CronJob, whose template the Job gets`
		aCondition = `want an operator (< <= > >= == !=) and a number with an optional unit (%, ms, s, Mi, Gi): write for example "<= 500ms"`
		oneOf      = `has exactly one of replicas, weight, matchTrafficWeight: true`
	)
	cases := map[string]struct{ text, want string }{
		"no pods":                        {"scale=0, 5%", `"0": ` + aScale},
		"fewer than no pods":             {"scale=-1, 5%", `"-1": ` + aScale},
		"more than all pods":             {"scale=101%, 5%", `"101%": ` + aScale},
		"more pods than anybody has":     {"scale=10001, 5%", `"10001": ` + aScale},
		"a scale that overflows":         {"scale=99999999999999999999, 5%", `"99999999999999999999": ` + aScale},
		"a scale of nothing":             {"scale=, 5%", `"": ` + aScale},
		"a scale that is a word":         {"scale=full, 5%", `"full": ` + aScale},
		"a header without a name":        {"header=:beta, 5%", `":beta": ` + aHeader},
		"a header with a blank":          {"header=X Canary, 5%", `"X Canary": ` + aHeader},
		"a header with an empty value":   {"header=X-Canary:, 5%", `"": ` + aValue},
		"a value nginx does not take":    {"header=X-Canary:a b, 5%", `"a b": ` + aValue},
		"an empty pattern":               {"header=X-Canary~, 5%", `"": ` + aPattern},
		"a pattern nginx does not take":  {"header=X-Canary~a<b, 5%", `"a<b": ` + aPattern},
		"a pattern that is none":         {"header=X-Canary~(, 5%", `"(": ` + aPattern},
		"a pattern that only PCRE knows": {"header=X-Canary~(?=a), 5%", `"(?=a)": ` + aPattern},
		"a cookie without a name":        {"cookie=, 5%", `"": ` + aCookie},
		"a cookie with a value":          {"cookie=canary=always, 5%", `"canary=always": ` + aCookie},
		"a Job without a name":           {"job=, 5%", `"": ` + aJob},
		"a Job with a namespace":         {"job=other/smoke, 5%", `"other/smoke": ` + aJob},
		"a Job longer than a CronJob":    {"job=" + strings.Repeat("a", 53) + ", 5%", `"` + strings.Repeat("a", 53) + `": ` + aJob},
		"a result that is no number":     {"job=smoke >= high, 5%", `job smoke: condition ">= high": ` + aCondition},
		"a result without an operator":   {"job=smoke 0.9, 5%", `"smoke 0.9": ` + aJob},
		"a result against stable": {
			"0%, job=smoke <= 1.2 * stable",
			`job smoke: "<= 1.2 * stable": a Job knows nothing of stable: write for example job=smoke >= 0.9`,
		},
		"a result of an odd operator":   {"job=smoke => 0.9, 5%", `job smoke: condition "=> 0.9": ` + aCondition},
		"a result of no Job":            {"job= >= 0.9, 5%", `"": ` + aJob},
		"a result of no Job, in a list": {"- job: {result: '>= 0.9'}", `"": ` + aJob},
		"a result in a list, of a word": {"- job: {name: smoke, result: good}", `job smoke: condition "good": ` + aCondition},
		"an empty result in a list":     {"- job: {name: smoke, result: ''}", `job smoke: condition "": ` + aCondition},
		"a Job in a list, with an image": {
			"- job: {name: smoke, image: curl}", `job: error unmarshaling JSON: while decoding JSON: json: unknown field "image"`,
		},
		"a kind that nobody has":   {"mirror=10%, 5%", `"mirror=10%": ` + aStep},
		"a weight in the new form": {"weight=10", `"weight=10": ` + aStep},
		"a route, but no weight ever": {
			"header=X-Canary, pause", `"header=X-Canary, pause": has no weight, so the new version would never see traffic`,
		},
		"a scale of two kinds": {
			"- setCanaryScale: {replicas: 3, weight: 5}", `{"setCanaryScale":{"replicas":3,"weight":5}}: ` + oneOf,
		},
		"a scale of no kind": {"- setCanaryScale: {}", `{"setCanaryScale":{}}: ` + oneOf},
		"a scale that matches nothing": {
			"- setCanaryScale: {matchTrafficWeight: false}", `{"setCanaryScale":{"matchTrafficWeight":false}}: ` + oneOf,
		},
		"no pods, in a list": {"- setCanaryScale: {replicas: 0}", `setCanaryScale: "0": ` + aScale},
		"a scale with something else": {
			"- setCanaryScale: {pods: 3}", `setCanaryScale: error unmarshaling JSON: while decoding JSON: json: unknown field "pods"`,
		},
		"a route that is taken away": {
			"- setHeaderRoute: {name: set-header-1}",
			`{"setHeaderRoute":{"name":"set-header-1"}}: a header route stays until the rollout ends: no step takes it away`,
		},
		"a route by two headers": {
			"- setHeaderRoute: {match: [{headerName: A, headerValue: {exact: b}}, {headerName: C, headerValue: {exact: d}}]}",
			`{"setHeaderRoute":{"match":[{"headerName":"A","headerValue":{"exact":"b"}},{"headerName":"C","headerValue":{"exact":"d"}}]}}: a ` +
				`canary Ingress matches one header`,
		},
		"a route by two values": {
			"- setHeaderRoute: {match: [{headerName: A, headerValue: {exact: b, prefix: b}}]}",
			`{"setHeaderRoute":{"match":[{"headerName":"A","headerValue":{"exact":"b","prefix":"b"}}]}}: headerValue has exactly one of exact, ` +
				`regex, prefix`,
		},
		"a route by any value": {
			"- setHeaderRoute: {match: [{headerName: A}]}",
			`{"setHeaderRoute":{"match":[{"headerName":"A"}]}}: headerValue has exactly one of exact, regex, prefix`,
		},
		"a route by a value nobody takes": {
			"- setHeaderRoute: {match: [{headerName: A, headerValue: {exact: a b}}]}", `setHeaderRoute: "a b": ` + aValue,
		},
		"a route without a header": {"- setHeaderRoute: {match: [{headerValue: {exact: b}}]}", `setHeaderRoute: ":b": ` + aHeader},
		"a mirror": {
			"- setMirrorRoute: {name: m, percentage: 5}",
			`"setMirrorRoute": a canary Ingress cannot copy requests; send a tester's requests to the canary with a header step`,
		},
		"a plugin": {"- plugin: {name: argoproj/step}", `"plugin": there are no plugins; a job step runs any program`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			steps, err := spec.ParseSteps(c.text)
			if err == nil {
				t.Fatalf("no error, but steps %v", steps)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// drawSteps draws any list of steps that is allowed.
func drawSteps(t *rapid.T) []spec.Step {
	w := rapid.IntRange(0, 100).Draw(t, "first weight")
	steps := []spec.Step{weight(w)}
	for range rapid.IntRange(0, 20).Draw(t, "more") {
		switch rapid.IntRange(0, 8).Draw(t, "kind") {
		case 4:
			steps = append(steps, scale(rapid.OneOf(
				rapid.Just(spec.Scale{Traffic: true}),
				rapid.Map(rapid.IntRange(1, 100), func(n int) spec.Scale { return spec.Scale{Percent: n} }),
				rapid.Map(rapid.Int32Range(1, 10000), func(n int32) spec.Scale { return spec.Scale{Replicas: n} }),
			).Draw(t, "scale")))
		case 5:
			name := rapid.StringMatching(`[A-Za-z0-9_-]{1,9}`)
			steps = append(steps, rapid.SampledFrom([]spec.Step{
				header(name.Draw(t, "header"), "", ""),
				header(name.Draw(t, "header"), rapid.StringMatching(`[/\-._~a-zA-Z0-9:]{1,9}`).Draw(t, "value"), ""),
				header(name.Draw(t, "header"), "", rapid.SampledFrom(patterns).Draw(t, "pattern")),
				{Kind: spec.MatchCookie, Match: spec.Match{Cookie: name.Draw(t, "cookie")}},
			}).Draw(t, "match"))
		case 6:
			name := rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?`).Draw(t, "job")
			steps = append(steps, rapid.SampledFrom([]spec.Step{
				{Kind: spec.RunJob, Job: name}, job(name, ">= 0.9"), job(name, "<= 5%"), job(name, "!= -1.50"), job(name, "< 500ms"),
			}).Draw(t, "result"))
		case 0:
			w = rapid.IntRange(w, 100).Draw(t, "weight")
			steps = append(steps, weight(w))
		case 1:
			steps = append(steps, wait(time.Duration(rapid.Int64Range(1, int64(365*24*time.Hour)).Draw(t, "wait"))))
		case 2:
			steps = append(steps, wait(time.Duration(rapid.IntRange(1, 365*24*60).Draw(t, "minutes"))*time.Minute))
		default:
			steps = append(steps, rapid.SampledFrom([]spec.Step{pause, analysis}).Draw(t, "word"))
		}
	}
	return steps
}

var patterns = []string{`eu-.*`, `^(a|b)=c~d:e$`, `\.[0-9]+`, `a{2}&b?`, `:`}

func TestFormattedStepsParseBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawSteps(t)
		text := spec.FormatSteps(want)
		got, err := spec.ParseSteps(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(text, diff)
		}
	})
}

func TestStepsReadAsAPersonWritesThem(t *testing.T) {
	steps := []spec.Step{
		weight(0), wait(90 * time.Second), wait(10 * time.Minute), wait(time.Hour), wait(24 * time.Hour), wait(25 * time.Hour), pause, analysis,
	}
	want := "0%, 1m30s, 10m, 1h, 1d, 25h, pause, analysis"
	if got := spec.FormatSteps(steps); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Whatever is accepted obeys the rules of steps and survives formatting.
func FuzzParseSteps(f *testing.F) {
	for _, text := range []string{
		"10%, 5m, 100%", "pause", "- setWeight: 20\n- pause: {duration: 5}", "header=X~a=b, 5%", "scale=traffic, cookie=c, job=j, 5%",
		"job=j >= 0.9, job=j<5%, 5%", "- job: {name: j, result: '== 1'}\n- 5%",
		"- setHeaderRoute: {match: [{headerName: A, headerValue: {prefix: a.b}}]}\n- 5%", "- setCanaryScale: {weight: 5}\n- 5%",
		"[{}]", "- &a [*a]", "1e9h, 5%", "%%",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		steps, err := spec.ParseSteps(text)
		if err != nil {
			return
		}
		last := -1
		for _, s := range steps {
			switch s.Kind {
			case spec.SetWeight:
				if s.Weight < last || s.Weight > 100 {
					t.Errorf("%q: weight %d after %d", text, s.Weight, last)
				}
				last = s.Weight
			case spec.Wait:
				if s.Duration <= 0 {
					t.Errorf("%q: waits %s", text, s.Duration)
				}
			}
		}
		again, err := spec.ParseSteps(spec.FormatSteps(steps))
		if diff := cmp.Diff(steps, again); err != nil || diff != "" || last < 0 {
			t.Errorf("%q: last weight %d: %v %s", text, last, err, diff)
		}
	})
}
