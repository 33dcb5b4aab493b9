package rollout_test

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

var rulesStories = map[string]story{
	"the recipe changes at 50%":                        {usual, recipeChanges},
	"the recipe changes twice and back":                {usual, recipeChangesBack},
	"the analysis is removed at 50% and comes back":    {usual, analysisRemoved},
	"an analysis is added to a rollout that has begun": {usual, analysisAdded},
	"rules of an earlier version of Headgate":          {usual, rulesNotStored},
	"rules that can no longer be read":                 {usual, rulesUnreadable},
}

func (w *world) editRules(text string) {
	w.fate("the ConfigMap of the analysis says " + text)
	w.web.rules = text
}

// recipeChanges: the version that fails by the rules it began with is rolled back, and the
// next one, no better, passes by the new rules.
func recipeChanges(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.editRules(laxRules)
	w.run(time.Minute)
	w.fate("v2 and v3 answer 5% of their requests with errors")
	w.verdicts["v2"], w.verdicts["v3"] = rollout.Fail, rollout.Fail
	w.rest()
	w.apply("v3")
	w.rest()
}

func recipeChangesBack(w *world) {
	w.apply("v2")
	w.untilShare(10)
	w.editRules(laxRules)
	w.run(time.Minute)
	w.editRules("success-rate >= 95%")
	w.run(time.Minute)
	w.editRules(usualRules)
	w.rest()
}

func analysisRemoved(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.fate("Prometheus is down")
	w.metricsDown = true
	w.run(2 * time.Minute)
	w.setAnalysis(false)
	w.run(30 * time.Second)
	w.setAnalysis(true)
	w.run(2 * time.Minute)
	w.fate("Prometheus is back")
	w.metricsDown = false
	w.rest()
}

func analysisAdded(w *world) {
	w.setAnalysis(false)
	w.verdicts["v2"], w.verdicts["v3"] = rollout.Fail, rollout.Fail
	w.apply("v2")
	w.untilShare(50)
	w.setAnalysis(true)
	w.rest()
	w.apply("v3")
	w.rest()
}

// rulesNotStored: the manager is another version in the middle of a rollout.
func rulesNotStored(w *world) {
	w.apply("v2")
	w.untilShare(50)
	rewrite(w, canaryName, func(dep *appsv1.Deployment) { delete(dep.Annotations, spec.AnnotationAnalysisRules) })
	w.editRules(laxRules)
	w.verdicts["v2"] = rollout.Fail
	w.rest()
}

func rulesUnreadable(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.fate("the operator removes the provider of these rules")
	w.unreadable = usualRules
	w.run(5 * time.Minute)
	w.editRules(laxRules)
	w.rest()
}

func (w *world) setAnalysis(is bool) {
	what := "removes the analysis"
	if is {
		what = "writes an analysis"
	}
	w.say("person", "%s", what)
	w.web.analysis = is
	w.changed()
}
