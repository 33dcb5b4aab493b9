package reason

var besides = []Explanation{
	row(MeasurementPassed, normal, in(Beside),
		means("A measurement passed: every metric has a number and every number holds. "+
			"There is an event when the verdict changes, not one for each measurement."),
		look("The message has the numbers and the weight."),
		showEvents,
	),
	row(MeasurementFailed, warning, in(Beside),
		means("A measurement failed: a number breaks its condition. More of them than `failureLimit` (default 0) end the rollout with "+
			"`AnalysisFailed`."),
		look("The message has the number and the condition. Each Fail has an event."),
		showEvents, showCanaryLogs,
		to("keep the weight while you look; a Fail still rolls back", command+"pause"),
		abortIt,
	),
	row(MeasurementInconclusive, normal, in(Beside),
		means("A measurement said nothing: no data, not a number, or fewer requests than `minRequests`. The weight stays as it is until "+
			"there is a Pass, or until `inconclusiveLimit`."),
		look("The message says which metric it is. Usually the canary has too few requests at this weight. If the query yields nothing, try "+
			"it in Prometheus; a sum over no series is empty, see docs/analysis.md."),
		showEvents, showAnnotations, shipNow, abortIt,
	),
	row(MeasurementError, warning, in(Beside),
		means("A measurement could not be taken: Prometheus does not answer or refuses the query, Headgate has no Prometheus or no metrics "+
			"source, or the router ignores the canary. The weight stays as it is until there is a Pass, or until `errorLimit`. "+
			"A router that ignores the canary is waited for until `headgate.dev/progress-deadline` (10m)."),
		look("The message says which it is. The addresses are settings of the operator: docs/operating.md. That the router ignores the "+
			"canary is explained in docs/analysis.md."),
		showEvents,
		to("see the settings of Headgate", "kubectl -n headgate-system describe deployment headgate"),
		showRoutes, shipNow, abortIt,
	),
	row(StableUnhealthy, warning, in(Beside),
		means("Stable breaks the limit of `headgate.dev/analysis` itself, and the new version is not shown to be worse. Something outside of "+
			"the release is wrong. The weight stays as it is until stable keeps the limit again, or until `inconclusiveLimit`."),
		look("What stable and the canary share: a database, another service, the node. The message has both numbers. A canary that is worse "+
			"than stable is rolled back all the same."),
		showEvents, shipNow, abortIt,
	),
	row(DryRunFailed, normal, in(Beside),
		means("A metric with `dryRun: true` would fail the canary. It decides nothing: the rollout goes on by the other metrics."),
		look("The message has the number and the condition. If it fails for healthy versions too, choose another limit before you take "+
			"`dryRun` away; docs/analysis.md says how often a limit is broken by chance."),
		showEvents, showAnnotations,
	),
	row(JobPassed, normal, in(Beside),
		means("The Job of a step such as `job=NAME >= 0.9` succeeded, and the number that it wrote satisfies the condition. "+
			"The step is over."),
		look("The message has the number and the condition."),
		showJobs, showJobLog,
	),
	row(CommandTaken, normal, in(Beside),
		means("Headgate took the command in `headgate.dev/command` and removed the annotation. The message names the command."),
		look("Nothing is wrong. `promote` ends a wait; whether the next weight may come is still for pods, gates and measurements."),
		showDeployment,
	),
	row(CommandRefused, warning, in(Beside),
		means("Headgate did not carry out the command in `headgate.dev/command` and removed the annotation. The message says why."),
		look("What makes sense now. Before the canary exists: `promote-full`. While it goes through its steps: `promote` ends a wait, "+
			"`promote-full`, `pause`, `resume` after `pause`, `abort`. After a rollback: `retry`, `promote-full`. After the release and without a "+
			"rollout: none. A command such as `abort:7` is for rollout 7 alone."),
		showDeployment,
		to("see which rollout it is", inNamespace+`get deployment NAME -o jsonpath='{.metadata.annotations.headgate\.dev/rollout}'`),
	),
	row(AnalysisSkipped, normal, in(Beside),
		means("An `analysis` step had nothing to judge and was passed: its metrics count requests that come to the canary, and the canary "+
			"has no traffic yet. They judge what comes after."),
		look("The order of the steps. At weight 0 a Job or a query of your own can judge: docs/gates.md, docs/analysis.md."),
		to("test before any traffic from the next rollout on",
			annotate+"--overwrite headgate.dev/steps='0%, job=smoke-test, 10%, 5m, 100%, 5m'"),
		abortIt,
	),
	row(AnalysisEdited, normal, in(Beside),
		means("Somebody edited `headgate.dev/analysis`, or the ConfigMap that it names, during a rollout. The rollout keeps the rules that it "+
			"began with, and the next one takes the new rules. There are two exceptions: if the annotation was removed, the rollout goes on "+
			"without an analysis, and rules that this version of Headgate cannot read give way to those of now. The message says which it is."),
		look("Nothing is wrong, unless the message says that the analysis cannot be read: the next rollout waits until it can be. The rules "+
			"that count are in an annotation of the canary Deployment."),
		to("see the rules that count", inNamespace+
			`get deployment NAME-canary -o jsonpath='{.metadata.annotations.headgate\.dev/analysis-rules}'`),
		showAnnotations, abortIt,
		to("begin again with the new rules, after the abort", command+"retry"),
	),
	row(CanaryNotCovered, warning, in(Beside),
		means("A NetworkPolicy or a PodDisruptionBudget selects the stable pods and misses the canary's, because it selects on the label "+
			"that differs. The rollout goes on. The canary may be cut off from what it needs."),
		look("The message names the object. Let it select both values of the label, or choose another label for the next rollout."),
		to("see the selectors", inNamespace+"describe networkpolicies,poddisruptionbudgets"),
		to("see the labels of the canary pods", inNamespace+"get pods -l headgate.dev/rollout --show-labels"),
		to("choose the label from the next rollout on", annotate+"--overwrite headgate.dev/track-label=app.kubernetes.io/instance"),
		abortIt,
	),
	row(CanaryNeedsFreeNode, warning, in(Beside),
		means("The pods take a port of their node, so a canary pod needs a node where that port is free. The rollout goes on. Without such a "+
			"node it waits at its weight until `headgate.dev/progress-deadline`."),
		look("On which nodes the pods are, and whether there is a node without one."),
		to("see pods and nodes", inNamespace+"get pods -o wide"),
		to("see the nodes", "kubectl get nodes"),
		shipNow, abortIt,
	),
	row(ScaleDownHeld, normal, in(Beside),
		means("Headgate switched off the scale-down of a HorizontalPodAutoscaler until the rollout is over, because traffic may come back to "+
			"stable at any moment. It still scales up."),
		look("Nothing is wrong. docs/autoscaling.md says what is written and when it is put back."),
		showAutoscalers,
	),
	row(ScaleDownRestored, normal, in(Beside),
		means("The rollout is over and a HorizontalPodAutoscaler scales down again as before."),
		look("Nothing is wrong."),
		showAutoscalers,
	),
	row(ScaleDownNotHeld, warning, in(Beside),
		means("A HorizontalPodAutoscaler may shrink stable while the canary has its traffic, and a rollback may then meet too few pods. "+
			"The rollout goes on. Headgate does not write this autoscaler: it belongs to something else such as KEDA, its policy is your "+
			"choice, or somebody switched the scale-down on again."),
		look("The message says which of these it is. Where a ScaledObject or a manifest in git owns the autoscaler, switch scale-down off "+
			"there: docs/autoscaling.md."),
		showAutoscalers,
		to("switch scale-down off by hand for this release", inNamespace+
			`patch hpa HPA --type merge -p '{"spec":{"behavior":{"scaleDown":{"selectPolicy":"Disabled"}}}}'`),
		to("put back what was there when the rollout is over, for example Max", inNamespace+
			`patch hpa HPA --type merge -p '{"spec":{"behavior":{"scaleDown":{"selectPolicy":"Max"}}}}'`),
	),
	row(PreviewDropped, warning, in(Beside),
		means("The preview is gone, or cannot be made, and the rollout goes on without it: somebody else serves the host of "+
			"`headgate.dev/preview-host` now, the host is no longer allowed, or the API server refuses the preview Ingress. "+
			"Weights and analysis are not affected. Headgate makes the preview again as soon as it can."),
		look("The message says what is in the way. If a person or an analysis needs the preview, pause the rollout and free the host, or "+
			"take another one: a new value counts at once. Without requests to the preview, a metric that counts them is Inconclusive, and "+
			"the weight stays."),
		showIngresses,
		to("take another host", annotate+"--overwrite headgate.dev/preview-host=next.web.example.com"),
		pauseIt, resumeIt, abortIt,
	),
	row(RollingInstead, normal, in(Beside, Unfinished),
		means("The promotion is a rolling update of the stable pods: each pod starts a second time. Otherwise the pods of the canary "+
			"would have become the pods of the Deployment. The message says why."),
		look("Nothing is wrong. The reasons, and how to avoid them, are in docs/rollouts.md under Promotion."),
		to("always have a rolling update, and no such event", annotate+"--overwrite headgate.dev/promotion=rolling"),
	),
	row(CanaryLost, warning, in(Beside, WentBack),
		means("No canary pod is Available while the canary has traffic: all traffic goes back to stable, and the steps begin again from the "+
			"first. The third time the rollout is rolled back with `CanaryUnavailable`."),
		look("Why the pods ended: a node was drained, or they crash under traffic. More than one canary pod survives the drain of one node."),
		showCanaryPods, showCanary, showCanaryLogs,
		to("have two canary pods from the next rollout on", annotate+"--overwrite headgate.dev/steps='scale=2, 10%, 5m, 50%, 5m, 100%, 5m'"),
		abortIt,
	),
}
