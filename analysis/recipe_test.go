package analysis

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/promql/parser"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/rollout/spec"
)

func TestReferences(t *testing.T) {
	tests := map[string]struct {
		text string
		want Analysis
		err  string
	}{
		"without parameters": {text: "recipe/agent", want: Analysis{ConfigMap: "agent", OfOperator: true}},
		"with parameters": {
			text: " configmap/agent,max-errors=1%, tool = search/web\n",
			want: Analysis{ConfigMap: "agent", Parameters: map[string]string{"max-errors": "1%", "tool": "search/web"}},
		},
		"without commas": {
			text: "configmap/agent max-errors=1%",
			err:  `"agent max-errors=1%" is not the name of a ConfigMap: write for example configmap/web-analysis, max-errors=1%`,
		},
		// A shell gives kubectl two words where the quotes are missing.
		"a comma at the end": {
			text: "recipe/agent,",
			err:  `"" is not a parameter with a value: write for example recipe/agent, max-errors=1%`,
		},
		"without a value": {
			text: "recipe/agent, tool",
			err:  `"tool" is not a parameter with a value: write for example recipe/agent, max-errors=1%`,
		},
		"a condition": {
			text: "recipe/agent, p99 <= 1s",
			err:  `"p99 <= 1s" is not a parameter with a value: write for example recipe/agent, max-errors=1%`,
		},
		"the same twice": {
			text: "recipe/agent, tool=a, tool=b",
			err:  `parameter "tool" is there twice: write for example recipe/agent, tool=b`,
		},
		"an empty value": {text: "recipe/agent, tool=", err: valueError("tool", "")},
		"two words":      {text: "recipe/agent, tool=a b", err: valueError("tool", "a b")},
		"a namespace": {
			text: "recipe/other/agent",
			err:  `"other/agent" is not the name of a ConfigMap: write for example recipe/web-analysis`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(tt.text)
			if wrong := tt.err != "" && fmt.Sprint(err) != tt.err || tt.err == "" && err != nil; wrong {
				t.Errorf("error %v\nwant  %s", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func valueError(name, value string) string {
	return fmt.Sprintf("parameter %q cannot be %q: a value has at most 100 letters and digits, with one of . _ - + / between them, "+
		"and %% after them: write for example max-errors=0.5%%", name, value)
}

func TestRecipes(t *testing.T) {
	const text = "errors: at-most {{max-errors}}, p99 <= {{slowest}}"
	_, notSlow := spec.ParseCondition("<= slow")
	recipe := func(parameters string) map[string]string {
		return map[string]string{"analysis": text, "parameters": parameters, "description": "For web services."}
	}
	tests := map[string]struct {
		data      map[string]string
		text      string
		want, err string
	}{
		"a default and a value": {
			data: recipe("max-errors: 1%\nslowest:"), text: "configmap/web, slowest=500ms",
			want: "errors: at-most 1%, p99 <= 500ms",
		},
		"values instead of defaults": {
			data: recipe("{max-errors: 1%, slowest: 5}"), text: "configmap/web, max-errors=0.5%, slowest=1s",
			want: "errors: at-most 0.5%, p99 <= 1s",
		},
		"variables stay": {
			data: map[string]string{
				"analysis":   `{metrics: [{name: queue, query: 'max(queue{namespace="{{ namespace }}"})', condition: "< {{ most }}"}]}`,
				"parameters": "most: 1500",
			},
			text: "configmap/web",
			want: `{metrics: [{name: queue, query: 'max(queue{namespace="{{ namespace }}"})', condition: "< 1500"}]}`,
		},
		"a parameter that is not declared": {
			data: recipe("max-errors: 1%\nslowest: 1s"), text: "configmap/web, max-error=1%",
			err: `configmap/web: there is no parameter "max-error": the parameters are max-errors, slowest: write for example max-errors=1%`,
		},
		"no parameter is declared": {
			data: map[string]string{"analysis": "auto"}, text: "configmap/web, tool=search",
			err: `configmap/web: there is no parameter "tool", because the key parameters declares none: ` +
				"write for example tool: 1% there",
		},
		"a parameter without a value": {
			data: recipe("max-errors: 1%\nslowest: ''"), text: "configmap/web",
			err: `configmap/web: parameter "slowest" has no default: write it in the annotation, for example slowest=1%`,
		},
		"a parameter that is not used": {
			data: recipe("max-errors: 1%\nslowest: 1s\ntool: search"), text: "configmap/web",
			err: `configmap/web: parameter "tool" is not used: write {{tool}} in the key analysis, for example errors: at-most {{tool}}`,
		},
		"an unknown placeholder": {
			data: recipe("max-errors: 1%"), text: "configmap/web",
			err: "configmap/web: {{slowest}} is neither a parameter nor a variable: declare it in the key parameters, " +
				"for example max-errors: 1%; the variables are track, canary-deployment, canary-ingress, canary-pods, " +
				"canary-replicaset, canary-service, canary-track, deployment, ingress, namespace, rollout, service, service-port, " +
				"stable-track, track-label, weight, window, window-seconds",
		},
		"an unknown key": {
			data: map[string]string{"analysis": "auto", "parameter": "tool: search"}, text: "configmap/web",
			err: `configmap/web: the key "parameter" is unknown: the keys are analysis, parameters and description: ` +
				"write for example analysis: success-rate >= 99%, p99 <= 500ms",
		},
		"a list for the parameters": {
			data: recipe("[max-errors]"), text: "configmap/web",
			err: "configmap/web: parameters must be lines of a name and a default: write for example max-errors: 1%",
		},
		"a parameter twice": {
			data: recipe("max-errors: 1%\nmax-errors: 2%"), text: "configmap/web",
			err: "configmap/web: parameters must be lines of a name and a default: write for example max-errors: 1%",
		},
		"a name in capitals": {
			data: recipe("Max: 1%"), text: "configmap/web",
			err: `configmap/web: parameter "Max": a name has small letters, digits and - between them: write for example max-errors: 1%`,
		},
		"the name of a variable": {
			data: recipe("namespace: shop"), text: "configmap/web",
			err: `configmap/web: parameter "namespace" has the name of a variable: choose another one, for example max-errors: 1%`,
		},
		"the name of the variable of own counters": {
			data: recipe("track: shop"), text: "configmap/web",
			err: `configmap/web: parameter "track" has the name of a variable: choose another one, for example max-errors: 1%`,
		},
		"a bad default": {
			data: recipe(`max-errors: '1%, p99 < 1s'`), text: "configmap/web",
			err: "configmap/web: " + valueError("max-errors", "1%, p99 < 1s"),
		},
		"a value that does not fit": {
			data: recipe("max-errors: 1%\nslowest: 1s"), text: "configmap/web, slowest=slow",
			err: `configmap/web: metric "p99": ` + fmt.Sprint(notSlow),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Data: tt.data}
			judge := New(onlyPrometheus, fake.NewClientBuilder().WithObjects(cm).Build(), Options{})
			resolved, err := judge.Resolve(t.Context(), "shop", tt.text)
			if wrong := tt.err != "" && fmt.Sprint(err) != tt.err || tt.err == "" && err != nil; wrong {
				t.Fatalf("error %v\nwant  %s", err, tt.err)
			}
			if err == nil && resolved.Rules() != tt.want {
				t.Errorf("got  %s\nwant %s", resolved.Rules(), tt.want)
			}
		})
	}
}

// The rules of a recipe need no ConfigMap any more, and measure the same.
func TestRulesAreWhole(t *testing.T) {
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Data: map[string]string{"analysis": "\n{interval: {{every}}, metrics: [{name: p99, condition: '<= {{slowest}}'}]}\n",
			"parameters": "{every: 1m, slowest: 1s}"},
	}
	first, err := New(nil, fake.NewClientBuilder().WithObjects(cm).Build(), Options{}).Resolve(t.Context(), "shop", "configmap/web, every=2m")
	if err != nil {
		t.Fatal(err)
	}
	second, err := New(nil, fake.NewClientBuilder().Build(), Options{}).Resolve(t.Context(), "shop", first.Rules())
	if err != nil {
		t.Fatal(err)
	}
	if second.Rules() != first.Rules() || !reflect.DeepEqual(first.analysis, second.analysis) {
		t.Errorf("%+v with rules %q\nwant %+v with rules %q", second.analysis, second.Rules(), first.analysis, first.Rules())
	}
}

// The recipe of the page can be used with the references of the page.
func TestRecipeInDocs(t *testing.T) {
	var cm corev1.ConfigMap
	manifest := regexp.MustCompile("(?s)```yaml\n(apiVersion:.*?)```").FindStringSubmatch(readDocs(t))
	if manifest == nil || yaml.UnmarshalStrict([]byte(manifest[1]), &cm) != nil {
		t.Fatalf("%s has no recipe", docsPage)
	}
	cm.Namespace, cm.Labels = "shop", map[string]string{RecipeLabel: "true"}
	judge := New(onlyPrometheus, fake.NewClientBuilder().WithObjects(&cm).Build(), Options{RecipesNamespace: "shop"})
	references := regexp.MustCompile(`(?m)(^|headgate.dev/analysis=)((configmap|recipe)/agent.*)$`).FindAllStringSubmatch(readDocs(t), -1)
	if len(references) != 3 {
		t.Errorf("%s uses the recipe %d times", docsPage, len(references))
	}
	for _, reference := range references {
		if _, err := judge.Resolve(t.Context(), "shop", reference[2]); err != nil {
			t.Errorf("%s: %v", reference[2], err)
		}
	}
}

// In the operator's namespace only what has the label can be found out.
func TestRecipesOfTheOperator(t *testing.T) {
	labelled := func(namespace, name, label, text string) *corev1.ConfigMap {
		return &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{RecipeLabel: label}},
			Data:       map[string]string{"analysis": text},
		}
	}
	reader := fake.NewClientBuilder().WithObjects(
		labelled("recipes", "agent", "true", "auto"), labelled("recipes", "hidden", "false", "secret"),
		labelled("shop", "own", "true", "auto"),
	).Build()
	missing := func(name string) string {
		return "recipe/" + name + ": there is no such recipe: in namespace recipes, no ConfigMap with this name has the label " +
			"headgate.dev/recipe=true"
	}
	tests := map[string]struct{ namespace, text, err string }{
		"with the label":       {"recipes", "recipe/agent", "<nil>"},
		"without the label":    {"recipes", "recipe/hidden", missing("hidden")},
		"that does not exist":  {"recipes", "recipe/gone", missing("gone")},
		"of the own namespace": {"recipes", "recipe/own", missing("own")},
		"without a namespace": {
			"", "recipe/agent", "recipe/agent: the operator has named no namespace for recipes (HEADGATE_RECIPES_NAMESPACE)",
		},
		"by the other prefix": {"recipes", "configmap/agent", `reading configmap/agent: configmaps "agent" not found`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := New(nil, reader, Options{RecipesNamespace: tt.namespace}).Resolve(t.Context(), "shop", tt.text)
			if fmt.Sprint(err) != tt.err {
				t.Errorf("error %v\nwant  %s", err, tt.err)
			}
		})
	}
}

// A query is confined to the namespace of the Deployment after its parameters are filled in,
// also in selectors that a parameter brings, and also in a recipe of the operator.
func TestRecipesAreConfined(t *testing.T) {
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "recipes", Name: "calls", Labels: map[string]string{RecipeLabel: "true"}},
		Data: map[string]string{
			"analysis":   `{metrics: [{name: calls, query: 'sum(calls{tool="{{tool}}"}) + {{more}}', condition: ">= 0"}]}`,
			"parameters": "tool:\nmore:",
		},
	}
	prom, asked := confinedServer(t, "namespace", map[string]string{"calls": vector("1")})
	judge := New(prom, fake.NewClientBuilder().WithObjects(cm).Build(), Options{RecipesNamespace: "recipes"})
	measure(t, judge, "recipe/calls, tool=search, more=up/secret", subject())
	want := []string{`sum(calls{namespace="shop",tool="search"}) + up{namespace="shop"} / secret{namespace="shop"}`}
	if diff := cmp.Diff(want, asked()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLongAnalysisIsRefused(t *testing.T) {
	if _, err := Parse(strings.Repeat("x", maxText+1)); err == nil || !strings.HasPrefix(err.Error(), "the analysis has 65537 bytes") {
		t.Errorf("error %v", err)
	}
	if _, err := Parse(strings.Repeat("x", maxText)); err == nil || strings.Contains(err.Error(), "bytes") {
		t.Errorf("error %v", err)
	}
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Data: map[string]string{
			"analysis": "auto\n" + strings.Repeat("{{v}}", 1000), "parameters": "v: " + strings.Repeat("a", 100),
		},
	}
	_, err := New(nil, fake.NewClientBuilder().WithObjects(cm).Build(), Options{}).Resolve(t.Context(), "shop", "configmap/web")
	if err == nil || !strings.HasPrefix(err.Error(), "configmap/web: the analysis has 100005 bytes, want at most 65536") {
		t.Errorf("a recipe that gets long: %v", err)
	}
}

// hostile are values that would mean more than one word somewhere.
var hostile = []string{
	`"`, `'`, "`", `x"} or secret{a="b`, "a\nfailureLimit: 100", "a\r\nb", "a: b", "a #b", "1%, p99 < 9s", "{{namespace}}", "{x}", "[a]",
	`a\`, "&a", "*a", "!a", "|", ">", "-", "--", "1--", "-1", "a//b", "a/*b", "../x", "a/../b", "%", "%2e", "a%2fb", "a:b", "a;b", "a(b)",
	"~", "?", "@a", "$x", "é", "\u2028", "\x00", "", " ", "a b", strings.Repeat("a", 101),
}

func TestHostileValues(t *testing.T) {
	for _, value := range hostile {
		if checkValue("tool", value) == nil {
			t.Errorf("%q is taken as a value", value)
		}
	}
	for _, value := range []string{"1%", "0.5%", "500ms", "search", "a_b", "20%+0.05%", "/checkout/v1", "web-1", "tasks_total", "1e+06"} {
		if err := checkValue("tool", value); err != nil {
			t.Error(err)
		}
	}
}

// everywhere has a placeholder in each place where YAML has other rules.
const everywhere = `
plain: {{v}}
in-words: up to {{v}} of them
single: '{{v}}'
double: "{{v}}"
flow: [a, {{v}}, {b: {{v}}}]
block: |
  first {{v}}
  second
folded: >-
  first {{v}}
list:
- {{v}}
- b # {{v}}
query: up{tool="{{v}}", path=~"/a/{{v}}"} > 0
`

// A value is one word wherever it stands: it changes no structure of YAML, and no selector.
func FuzzValues(f *testing.F) {
	for _, value := range hostile {
		f.Add(value)
	}
	f.Add("20%+0.05%")
	f.Fuzz(func(t *testing.T, value string) {
		if checkValue("v", value) != nil {
			return
		}
		text, err := substitute(everywhere, map[string]string{"v": value})
		if err != nil {
			t.Fatal(err)
		}
		var got, want map[string]any
		if err := yaml.UnmarshalStrict([]byte(text), &got); err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(everywhere, "{{v}}", "x")), &want); err != nil {
			t.Fatal(err)
		}
		if a, b := shape(got), shape(want); a != b {
			t.Errorf("%q: the YAML has the form %s, want %s", value, a, b)
		}
		if got["double"] != value || got["in-words"] != "up to "+value+" of them" {
			t.Errorf("%q is read as %q and %q", value, got["double"], got["in-words"])
		}
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(fmt.Sprint(got["query"]))
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		selector := expr.(*parser.BinaryExpr).LHS.(*parser.VectorSelector)
		if n := len(selector.LabelMatchers); n != 3 || selector.LabelMatchers[0].Value != value {
			t.Errorf("%q: the selector is %s", value, selector)
		}
		if a, err := Parse("configmap/x, v=" + value); err != nil || a.Parameters["v"] != value || len(a.Parameters) != 1 {
			t.Errorf("%q: %+v, %v", value, a, err)
		}
	})
}

// shape is v without its scalars.
func shape(v any) string {
	switch v := v.(type) {
	case map[string]any:
		parts := make(map[string]string, len(v))
		for key, value := range v {
			parts[key] = shape(value)
		}
		return fmt.Sprint(parts)
	case []any:
		parts := make([]string, len(v))
		for i, value := range v {
			parts[i] = shape(value)
		}
		return fmt.Sprint(parts)
	}
	return "word"
}
