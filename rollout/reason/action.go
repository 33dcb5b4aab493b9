package reason

const (
	inNamespace = "kubectl -n NAMESPACE "
	annotate    = inNamespace + "annotate deployment NAME "
	command     = annotate + "headgate.dev/command="
	undo        = inNamespace + "rollout undo deployment NAME"
)

func to(want, command string) Action { return Action{want, command} }

// What a person does about a rollout. Whether Headgate takes a command depends on
// where the rollout is: the words say when.
var (
	endWait        = to("end this wait and go on to the next step", command+"promote")
	shipNow        = to("ship it now, without the steps that are left", command+"promote-full")
	shipPending    = to("release the template now, without a canary", command+"promote-full")
	shipBlocked    = to("release the template without a canary, or without the steps that are left", command+"promote-full")
	shipRolledBack = to("ship this template all the same, without a canary", command+"promote-full")
	pauseIt        = to("keep the weight as it is for a while", command+"pause")
	resumeIt       = to("go on after that", command+"resume")
	abortIt        = to("give up: all traffic to stable", command+"abort")
	retryIt        = to("try the same template again", command+"retry")
	undoAtOnce     = to("go back to the version before: while it has pods, it needs no steps", undo)
	undoIt         = to("go back to the version before; it goes through the steps, unless a rollback window or promote-full skips them", undo)
	sendBack       = to("give up: go back to the template that runs, for example by its image",
		inNamespace+"set image deployment/NAME CONTAINER=IMAGE")
	morePatience = to("allow more time; it counts at once", annotate+"--overwrite headgate.dev/progress-deadline=20m")
)

// What a person looks at.
var (
	showDeployment   = to("see the condition and the events", inNamespace+"describe deployment NAME")
	showEvents       = to("see what happened", inNamespace+"events --for deployment/NAME")
	showCanary       = to("see the canary", inNamespace+"describe deployment NAME-canary")
	showCanaryEvents = to("see what happened to the canary", inNamespace+"events --for deployment/NAME-canary")
	showCanaryPods   = to("see the canary pods", inNamespace+"get pods -l headgate.dev/rollout")
	showCanaryLogs   = to("read the log of a canary pod", inNamespace+"logs deployment/NAME-canary --all-containers --tail=100")
	showRoutes       = to("see the canary routes and their weight", inNamespace+"describe ingress -l app.kubernetes.io/managed-by=headgate")
	showManagerLog   = to("read the log of Headgate", "kubectl -n headgate-system logs -l app.kubernetes.io/name=headgate --tail=200")
	showWebhook      = to("see whether the webhook is registered", "kubectl get mutatingwebhookconfiguration zz-headgate")
	showManagers     = to("see who wrote what", inNamespace+"get deployment NAME -o yaml --show-managed-fields")
	showAnnotations  = to("see the annotations", inNamespace+"get deployment NAME -o jsonpath='{.metadata.annotations}'")
	showServices     = to("see the Services and what they select", inNamespace+"get services -o wide")
	showLabels       = to("see the labels of the pods", inNamespace+"get pods --show-labels")
	showIngresses    = to("see the Ingresses", inNamespace+"get ingress")
	showIngress      = to("see the Ingress", inNamespace+"describe ingress INGRESS")
	showUpdate       = to("see how far the rolling update is", inNamespace+"rollout status deployment NAME --timeout=10s")
	showReplicaSets  = to("see which versions have pods", inNamespace+"get replicasets -o wide")
	showJobs         = to("see the Job", inNamespace+"get jobs -l app.kubernetes.io/managed-by=headgate")
	showJobLog       = to("read its log", inNamespace+"logs job/JOB --all-containers")
	showAutoscalers  = to("see the autoscalers", inNamespace+"get hpa")
)
