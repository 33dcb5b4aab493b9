package reason

// notBegun ends the meaning of every reason that may also come up in the middle.
const notBegun = " The rollout does not begin, and stable serves. In the middle of a rollout the next weight waits; at " +
	"`headgate.dev/progress-deadline` the rollout is rolled back. Headgate looks again when something changes, and every minute."

var preconditions = []Explanation{
	row(NoService, warning, in(StaysPending, StaysAtWeight),
		means("No Service selects the pods of the Deployment, or `headgate.dev/service` names one that is not there or selects other pods."+
			notBegun),
		look("The selectors of the Services of this namespace, and the labels of the pods."),
		showServices, showLabels,
		to("name the Service", annotate+"--overwrite headgate.dev/service=SERVICE"),
		to("let Headgate find the Services", annotate+"headgate.dev/service-"),
		shipBlocked,
	),
	row(NoIngress, warning, in(StaysPending, StaysAtWeight),
		means("No Ingress has a path to a Service of the Deployment, or `headgate.dev/ingress` names one that has none or is not there. "+
			"Only traffic that comes through an Ingress can be split."+notBegun),
		look("The paths of the Ingresses of this namespace, and which Services they lead to."),
		to("see where the Ingresses lead", inNamespace+"describe ingress"),
		to("name the Ingress", annotate+"--overwrite headgate.dev/ingress=INGRESS"),
		to("let Headgate find the Ingresses", annotate+"headgate.dev/ingress-"),
		shipBlocked,
	),
	row(ServiceNotSupported, warning, in(StaysPending, StaysAtWeight),
		means("`headgate.dev/service` names a Service that is of type ExternalName or has no selector. Its traffic cannot be split."+notBegun),
		look("The type and the selector of that Service."),
		showServices,
		to("name another Service", annotate+"--overwrite headgate.dev/service=SERVICE"),
		shipBlocked,
	),
	row(ServiceSelectsOthers, warning, in(StaysPending, StaysAtWeight),
		means("A Service that would be split also selects pods of somebody else: their traffic would be split too."+notBegun),
		look("The message names the Service and one such pod. Compare the labels of that pod with the selector of the Service, and make the "+
			"selector narrower."),
		showServices, showLabels,
		to("make the selector narrower", inNamespace+"edit service SERVICE"),
		shipBlocked,
	),
	row(IngressNotSupported, warning, in(StaysPending, StaysAtWeight),
		means("A canary cannot split this Ingress: it leads to the Service only by `defaultBackend`, or it has `ssl-passthrough`."+notBegun),
		look("The message says which of the two it is. The first needs a rule with an http path, the second needs TLS to end at the ingress "+
			"controller."),
		showIngress, shipBlocked,
	),
	row(IngressClassUnknown, warning, in(StaysPending, StaysAtWeight),
		means("Headgate does not know whether the ingress controller of this Ingress honours canary annotations. "+
			"One that does not may send all traffic to the canary."+notBegun),
		look("The class of the Ingress and its `spec.controller`. If that controller honours canary annotations, the operator adds it to "+
			"`ingress.controllers`: docs/operating.md."),
		showIngresses,
		to("see the classes and their controllers", "kubectl get ingressclass"),
		to("name only the Ingresses that can be split", annotate+"--overwrite headgate.dev/ingress=INGRESS"),
		shipBlocked,
	),
	row(ForeignCanary, warning, in(StaysPending, StaysAtWeight),
		means("Another canary Ingress, which Headgate did not make for this Deployment, is on the same host and path, in this namespace or "+
			"in another one. A controller honours only one. ingress-nginx does not compare namespaces."+notBegun),
		look("The message names that Ingress if it is in this namespace. In another one only the operator of the cluster may look: "+
			"`kubectl get ingress --all-namespaces`. It may be left over from another tool, or written by hand."),
		showIngress,
		to("delete it, if nobody needs it", inNamespace+"delete ingress INGRESS"),
		shipBlocked,
	),
	row(NameTaken, warning, in(StaysPending, StaysAtWeight),
		means("An object exists that has the name Headgate needs for the canary or the preview, and Headgate did not make it. "+
			"Headgate never takes over such an object."+notBegun),
		look("The message names the object. If it is being deleted, wait. Otherwise rename or delete it. Where it is a name for the "+
			"preview, a rollout that has begun goes on without its preview, with `PreviewDropped`."),
		to("see what is there", inNamespace+"get deployments,services,ingresses --show-labels"),
		shipBlocked,
	),
	row(CanaryIndistinct, warning, in(StaysPending, StaysAtWeight),
		means("Canary pods would be selected as stable ones: no label that Headgate may change tells the two apart for the Deployment and "+
			"for every Service. Or they would be selected by a Service of something else, whose users would get the canary. "+
			"Or a Service was created or edited during the rollout and selects canary pods now."+notBegun),
		look("The selectors of the Deployment and of the Services in its namespace. One label should be in all selectors that "+
			"select its pods; `headgate.dev/track-label` names it. No other Service should select on the value of that label with "+
			"`-canary` at its end."),
		showServices,
		to("see the selector of the Deployment", inNamespace+"get deployment NAME -o jsonpath='{.spec.selector}'"),
		to("name the label", annotate+"--overwrite headgate.dev/track-label=app.kubernetes.io/instance"),
		shipBlocked,
	),
	row(StableUnavailable, warning, in(StaysPending),
		means("No pod of the running version is Available, so there is nothing to compare a canary with. The rollout does not begin. "+
			"It begins by itself when a stable pod is Available."),
		look("Why the stable pods are down. If the new template is the fix, release it without a canary."),
		to("see the pods", inNamespace+"get pods -o wide"),
		showDeployment, shipPending, sendBack,
	),
	row(ScaledToZero, warning, in(WentBack, WithoutCanary),
		means("The Deployment was scaled to 0 in the middle of a rollout: nothing is to serve, so the canary goes as well. "+
			"The rollout is rolled back, and the new template stays held. "+
			"`headgate_bypass_total` counts with this reason a template that came while there were 0 replicas: it goes out without a "+
			"canary."),
		look("Before you scale up again: a held template that ran before comes back without a canary. "+
			"docs/kubectl.md says why. To be safe, apply the stable template first."),
		showReplicaSets, sendBack,
		to("scale up after that", inNamespace+"scale deployment NAME --replicas=2"),
		retryIt,
	),
	row(RecreateNotSupported, warning, in(StaysPending, StaysAtWeight, WithoutCanary),
		means("The strategy of the Deployment is Recreate, which stops every stable pod before the first new one starts. "+
			"A template that is held already waits: the rollout does not begin, or its next weight waits and the rollout is "+
			"rolled back at `headgate.dev/progress-deadline`. `headgate_bypass_total` counts with this reason a template that "+
			"goes out without a canary."),
		look("`spec.strategy` of the Deployment, here and in git."),
		to("use a rolling update", inNamespace+
			`patch deployment NAME -p '{"spec":{"strategy":{"type":"RollingUpdate"}}}'`),
		shipBlocked,
	),
	row(VolumeNotShared, warning, in(StaysPending),
		means("A volume can be mounted on one node only, for example ReadWriteOnce, and stable and canary pods would both need it. "+
			"The rollout does not begin, and stable serves."),
		look("The message names the PersistentVolumeClaim. With ReadWriteMany both versions can mount it."),
		to("see the claims and their access modes", inNamespace+"get pvc"),
		shipPending, sendBack,
	),
	row(PreviewHostRefused, warning, in(StaysPending),
		means("`headgate.dev/preview-host` names a host that this Deployment may not have: it is in no domain that the operator allows, "+
			"somebody else serves it, or the Ingress asks for client certificates. The rollout does not begin, and stable serves. "+
			"Headgate looks again when something changes, and every minute. In the middle of a rollout the preview is dropped instead, "+
			"with `PreviewDropped`."),
		look("The message says which of these it is. The rules are in docs/routing.md; the operator allows domains with "+
			"`ingress.previewDomains` and `ingress.previewBelowOwnHosts`."),
		showIngresses,
		to("take another host", annotate+"--overwrite headgate.dev/preview-host=preview.web.example.com"),
		to("do without a preview", annotate+"headgate.dev/preview-host-"),
		shipPending, sendBack,
	),
	row(JobUnavailable, warning, in(StaysAtWeight),
		means("A `job` step cannot make its Job. The step waits until `headgate.dev/progress-deadline` (10m), then the rollout is rolled "+
			"back."),
		look("The message says why: there is no such CronJob, it is not suspended, its pods have labels that the application selects, or a "+
			"quota or a policy refuses the Job. docs/gates.md has an example."),
		to("see the CronJobs", inNamespace+"get cronjobs"),
		to("suspend the CronJob: Headgate runs it", inNamespace+`patch cronjob CRONJOB -p '{"spec":{"suspend":true}}'`),
		to("go on without the Job", command+"promote"),
		abortIt,
	),
}
