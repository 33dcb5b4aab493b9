package security

import (
	"fmt"
	"strings"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// attempt is what a user does with one annotation in bad faith.
type attempt struct {
	// refused are values that the API server does not store, each with a part of its answer.
	refused map[string]string

	// stored are attempts that nobody refuses, by what the user hopes for. Each runs with an
	// application of its own, which ends as the function checks.
	stored map[string]func(*user)
}

// attempts has a row for every annotation of rollout/spec/annotations.go.
var attempts = map[string]attempt{
	spec.AnnotationStrategy: {refused: map[string]string{
		"canary,../tenant": "a strategy is canary or blue-green",
		"":                 "a strategy is canary or blue-green",
	}},
	spec.AnnotationSteps: {
		refused: map[string]string{
			"job=tenant/their-job, 50%":         "annotation headgate.dev/steps",
			"job=../their-job, 50%":             "annotation headgate.dev/steps",
			"header=X:a\nserver { listen 1; }":  "annotation headgate.dev/steps",
			"header=X~a' '; lua_block {}, 50%":  "annotation headgate.dev/steps",
			"cookie=a; proxy_pass tenant;, 50%": "annotation headgate.dev/steps",
			bomb:                                "excessive aliasing",
		},
		stored: map[string]func(*user){"a Job of another namespace": jobOfTenant},
	},
	spec.AnnotationAnalysis: {
		refused: map[string]string{
			"configmap/tenant/their-analysis":                               "is not the name of a ConfigMap",
			"configmap/../tenant/their-analysis":                            "is not the name of a ConfigMap",
			"recipe/tenant/their-recipe":                                    "is not the name of a ConfigMap",
			"recipe/../hidden":                                              "is not the name of a ConfigMap",
			"recipe/hidden, a=b/../../c":                                    `parameter "a" cannot be`,
			"metrics:\n" + bomb:                                             "excessive aliasing",
			scores("path: /../admin"):                                       "path",
			scores("path: //tenant.test/x"):                                 "path",
			scores("path: /%2e%2e/admin"):                                   "path",
			scores("path: 'http://tenant.test'"):                            "path",
			scores("path: /x, address: 'http://" + elsewhere.address + "'"): "address",
			scores("path: /x, headers: {X-Api-Key: mine}"):                  "headers",
		},
		stored: map[string]func(*user){
			"a ConfigMap of another namespace": analysisThatIsNotThere(
				"configmap/their-analysis", `configmaps "their-analysis" not found`),
			"a ConfigMap of the operator that is no recipe": analysisThatIsNotThere("recipe/hidden", "there is no such recipe"),
			"a recipe of another namespace":                 analysisThatIsNotThere("recipe/their-recipe", "there is no such recipe"),
			"series of another namespace":                   seriesOfTenant,
			"a provider of another namespace":               providerOfTenant,
		},
	},
	spec.AnnotationService: {
		refused: map[string]string{"tenant/theirs": "names are lower-case letters", "../theirs": "names are lower-case letters"},
		stored:  map[string]func(*user){"a Service of another namespace": routesOfTenant(spec.AnnotationService, reason.NoService)},
	},
	spec.AnnotationIngress: {
		refused: map[string]string{"tenant/theirs": "names are lower-case letters", "..%2ftenant": "names are lower-case letters"},
		stored:  map[string]func(*user){"an Ingress of another namespace": routesOfTenant(spec.AnnotationIngress, reason.NoIngress)},
	},
	spec.AnnotationTrackLabel: {
		refused: map[string]string{"../app": "is not a label key", "app=theirs": "is not a label key"},
		stored:  map[string]func(*user){"a label that Headgate itself uses": ownTrack},
	},
	spec.AnnotationProgressDeadline: {refused: map[string]string{"-1m": "a duration is", "1000d": "a duration is", "1e9h": "a duration is"}},
	spec.AnnotationRolloutDeadline:  {refused: map[string]string{"0s": "a duration is", "1000d": "a duration is"}},
	spec.AnnotationPreviewHost: {
		refused: map[string]string{
			"*.previews.test": "is not a host name", "previews": "is not a host name", "x.previews.test/..": "is not a host name",
			"x.previews.test,theirs.tenant.test": "is not a host name", "x.previews.test\n": "is not a host name",
		},
		stored: map[string]func(*user){
			"a host that another namespace serves": hostOfTenant(tenantsHost, "is below no domain that previews may use"),
			"an allowed host that is taken": hostOfTenant(takenHost,
				`but an Ingress of another namespace already serves "`+takenHost+`"`),
		},
	},
	spec.AnnotationGates: {
		refused: hostileGates("is not allowed", "want an http or https URL", "the path must not contain",
			"a gate has an http or https URL", "a gate is a point"),
		stored: map[string]func(*user){
			"an address behind the webhook's back": gateBehindTheWebhook,
			"a redirect":                           gateThatRedirects,
		},
	},
	spec.AnnotationRollbackWindow: {refused: map[string]string{
		"0": "a rollback window is", "-1": "a rollback window is", "101": "a rollback window is",
	}},
	spec.AnnotationRestart:      {refused: map[string]string{"rolling,canary": "a restart is rolling or canary"}},
	spec.AnnotationPromotion:    {refused: map[string]string{"none": "a promotion is"}},
	spec.AnnotationReportStatus: {refused: map[string]string{"tenant": "the only value is kstatus"}},
	spec.AnnotationCommand: {
		refused: map[string]string{
			"promote-full;abort": "a command is one of", "PROMOTE": "a command is one of", "promote:../7": "after the colon comes the number",
			"promote:": "after the colon comes the number", "delete": "a command is one of",
		},
		stored: map[string]func(*user){"a command for another rollout": commandForAnother},
	},

	// What Headgate writes.
	spec.AnnotationRollout: {stored: map[string]func(*user){"an invented hold": inventedMarkers}},
	spec.AnnotationPhase:   {stored: map[string]func(*user){"an invented phase": inventedMarkers}},
	spec.AnnotationState: {
		refused: map[string]string{`{"mode":"Promoting"}`: "there is no such annotation"},
		stored:  map[string]func(*user){"a state written into the canary": inventedState},
	},
	spec.AnnotationAnalysisRules: {
		refused: map[string]string{"auto": "there is no such annotation"},
		stored:  map[string]func(*user){"other rules written into the canary": inventedRules},
	},
	spec.AnnotationScaleDown: {
		refused: map[string]string{`{"deployment":"theirs"}`: "there is no such annotation"},
		stored:  map[string]func(*user){"a mark on an autoscaler": inventedMark},
	},
	spec.AnnotationAdoptedBy: {
		refused: map[string]string{"theirs": "there is no such annotation"},
		stored:  map[string]func(*user){"pods that pretend to be of a canary": inventedPods},
	},
	spec.AnnotationRestartedAt: {stored: map[string]func(*user){"a new version that looks like a restart": pretendedRestart}},
}

// scores is an analysis that asks the tenant's provider.
func scores(fields string) string {
	return `{interval: 1s, metrics: [{name: m, provider: scores, ` + fields + `, cel: "status == 200"}]}`
}

// hostileGates are the addresses that look allowed and are not. Each answer has one of words.
func hostileGates(words ...string) map[string]string {
	host, port, _ := strings.Cut(gates.address, ":")
	all := map[string]string{bomb: "excessive aliasing"}
	for _, address := range []string{
		"http://" + elsewhere.address + "/open",
		"http://" + gates.address + "@" + elsewhere.address + "/open",
		"http://" + elsewhere.address + `\@` + gates.address + "/open",
		"http://" + elsewhere.address + "#@" + gates.address + "/open",
		"http://" + gates.address + ".tenant.test/open",
		"http://" + host + ":" + port + "0/open",
		"http://" + host + "/open",
		"https://" + gates.address + "/open",
		"http://" + gates.address,
		"http://" + gates.address + "/admin",
		"http://" + gates.address + "/opened",
		"http://" + gates.address + "/open/../admin",
		"http://" + gates.address + "/open/%2e%2e/admin",
		"http://" + gates.address + "/open/..%2fadmin",
		"http://" + gates.address + "/open/..;/admin",
		"http://" + gates.address + `/open/..\admin`,
		"http://" + gates.address + "//open/..//admin",
		"file:///var/run/secrets/kubernetes.io/serviceaccount/token",
		"gopher://" + gates.address + "/open",
		"http://169.254.169.254/latest/meta-data",
		"http://kubernetes.default.svc/api",
	} {
		all["start "+address] = strings.Join(words, either)
	}
	return all
}

// bomb is a YAML list of 10 lines that unfolds to 10^10 words.
var bomb = func() string {
	text := "- &a0 [" + strings.Repeat("x, ", 10) + "]\n"
	for i := range 9 {
		text += fmt.Sprintf("- &a%d [%s]\n", i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 10))
	}
	return text
}()

// either separates words of which an answer has at least one.
const either = " | "
