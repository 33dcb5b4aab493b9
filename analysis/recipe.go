package analysis

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/analysis/provider"
)

// A recipe is an analysis in a ConfigMap, with parameters that each Deployment may set:
//
//	parameters: |
//	  max-errors: 1%   # the default
//	  tool:            # no default: whoever uses the recipe must say it
//	analysis: |
//	  errors: at-most {{max-errors}}, ...
//
// A Deployment names it as "configmap/web-analysis, max-errors=2%, tool=search".

// RecipeLabel marks, with the value "true", the ConfigMaps of the operator that everybody
// may use. No other ConfigMap of the operator's namespace is read out: its content would
// show in error messages.
const RecipeLabel = "headgate.dev/recipe"

// maxText is how many bytes an analysis may have. It is stored in an annotation of the
// canary Deployment, and all annotations of an object together may have 256 KiB.
const maxText = 64 << 10

// The keys of a ConfigMap with a shared analysis. The description is for people.
const (
	keyAnalysis    = "analysis"
	keyParameters  = "parameters"
	keyDescription = "description"
)

// maxValue is how many characters the value of a parameter may have.
const maxValue = 100

var (
	parameterName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

	// parameterValue is letters and digits with single marks between them. So a value is
	// one word wherever it stands: it ends no string, list item, key or line, and begins no
	// comment (# -- // /*), alias, tag or escape, be it in YAML, PromQL, CEL, SQL or a URL.
	parameterValue = regexp.MustCompile(`^/?[A-Za-z0-9]+%?([._+/-][A-Za-z0-9]+%?)*$`)
)

// parseReference reads what follows configmap/ or recipe/, which is prefix:
//
//	reference = name { "," parameter "=" value }
func parseReference(prefix, text string) (Analysis, error) {
	items := strings.Split(text, ",")
	a := Analysis{ConfigMap: strings.TrimSpace(items[0]), OfOperator: prefix == recipePrefix}
	if problems := validation.IsDNS1123Subdomain(a.ConfigMap); len(problems) > 0 {
		example := prefix + "web-analysis"
		if strings.Contains(a.ConfigMap, "=") {
			example += ", max-errors=1%"
		}
		return Analysis{}, fmt.Errorf("%q is not the name of a ConfigMap: write for example %s", a.ConfigMap, example)
	}
	for _, item := range items[1:] {
		name, value, ok := strings.Cut(item, "=")
		if name, value = strings.TrimSpace(name), strings.TrimSpace(value); !ok || !parameterName.MatchString(name) {
			return Analysis{}, fmt.Errorf("%q is not a parameter with a value: write for example %s, max-errors=1%%",
				strings.TrimSpace(item), a.reference())
		}
		if _, twice := a.Parameters[name]; twice {
			return Analysis{}, fmt.Errorf("parameter %q is there twice: write for example %s, %s=%s", name, a.reference(), name, value)
		}
		if err := checkValue(name, value); err != nil {
			return Analysis{}, err
		}
		if a.Parameters == nil {
			a.Parameters = map[string]string{}
		}
		a.Parameters[name] = value
	}
	return a, nil
}

// reference is how an annotation names the ConfigMap of a, without the parameters.
func (a Analysis) reference() string {
	if a.OfOperator {
		return recipePrefix + a.ConfigMap
	}
	return configMapPrefix + a.ConfigMap
}

func checkValue(name, value string) error {
	if len(value) <= maxValue && parameterValue.MatchString(value) {
		return nil
	}
	return fmt.Errorf("parameter %q cannot be %q: a value has at most %d letters and digits, with one of . _ - + / between them, "+
		"and %% after them: write for example max-errors=0.5%%", name, clip(value), maxValue)
}

// fillIn returns the analysis that cm holds, with values instead of its parameters. The
// variables of Headgate stay as they are.
func fillIn(cm *corev1.ConfigMap, values map[string]string) (string, error) {
	if err := checkKeys(cm); err != nil {
		return "", err
	}
	parameters, err := parametersOf(cm.Data[keyParameters])
	if err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, declared := parameters[name]; !declared {
			return "", unknownParameter(name, parameters)
		}
		parameters[name] = values[name]
	}
	return substitute(cm.Data[keyAnalysis], parameters)
}

// checkKeys refuses a ConfigMap with a key that means nothing: it may be a misspelt one.
func checkKeys(cm *corev1.ConfigMap) error {
	keys := slices.Sorted(maps.Keys(cm.Data))
	keys = append(keys, slices.Sorted(maps.Keys(cm.BinaryData))...)
	for _, key := range keys {
		if key != keyAnalysis && key != keyParameters && key != keyDescription {
			return fmt.Errorf("the key %q is unknown: the keys are %s, %s and %s: write for example %s: %s",
				key, keyAnalysis, keyParameters, keyDescription, keyAnalysis, lineExample)
		}
	}
	if _, ok := cm.Data[keyAnalysis]; !ok {
		return fmt.Errorf("the key %q is missing: write for example %s: %s", keyAnalysis, keyAnalysis, lineExample)
	}
	return nil
}

// parametersOf reads the parameters of a recipe and their defaults. "" is no default.
func parametersOf(text string) (map[string]string, error) {
	var written map[string]*string
	if err := yaml.UnmarshalStrict([]byte(text), &written); err != nil {
		return nil, errors.New("parameters must be lines of a name and a default: write for example max-errors: 1%")
	}
	parameters := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(written)) {
		if !parameterName.MatchString(name) {
			return nil, fmt.Errorf("parameter %q: a name has small letters, digits and - between them: write for example max-errors: 1%%", name)
		}
		if isVariable(name) {
			return nil, fmt.Errorf("parameter %q has the name of a variable: choose another one, for example max-errors: 1%%", name)
		}
		if parameters[name] = ptr.Deref(written[name], ""); parameters[name] == "" {
			continue
		}
		if err := checkValue(name, parameters[name]); err != nil {
			return nil, err
		}
	}
	return parameters, nil
}

// isVariable says whether {{name}} is a variable that Headgate fills in at each measurement.
func isVariable(name string) bool {
	return "{{"+name+"}}" == trackVariable || slices.Contains(provider.Variables(), name)
}

func unknownParameter(name string, parameters map[string]string) error {
	if len(parameters) == 0 {
		return fmt.Errorf("there is no parameter %q, because the key %s declares none: write for example %s: 1%% there",
			name, keyParameters, name)
	}
	known := slices.Sorted(maps.Keys(parameters))
	return fmt.Errorf("there is no parameter %q: the parameters are %s: write for example %s=1%%", name, strings.Join(known, ", "), known[0])
}

// substitute replaces every {{parameter}} of text. Parameters without a value, those that
// text does not use, and placeholders that are neither parameter nor variable are errors.
func substitute(text string, parameters map[string]string) (string, error) {
	used, unknown := map[string]bool{}, []string(nil)
	filled := provider.ReplaceEach(text, func(name, written string) string {
		used[name] = true
		value, declared := parameters[name]
		switch {
		case declared:
			return value
		case !isVariable(name):
			unknown = append(unknown, name)
		}
		return written
	})
	if len(unknown) > 0 {
		return "", fmt.Errorf("{{%s}} is neither a parameter nor a variable: declare it in the key %s, for example max-errors: 1%%; "+
			"the variables are track, %s", clip(unknown[0]), keyParameters, strings.Join(provider.Variables(), ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		switch {
		case !used[name]:
			return "", fmt.Errorf("parameter %q is not used: write {{%s}} in the key %s, for example errors: at-most {{%s}}",
				name, name, keyAnalysis, name)
		case parameters[name] == "":
			return "", fmt.Errorf("parameter %q has no default: write it in the annotation, for example %s=1%%", name, name)
		}
	}
	return filled, nil
}
