package spec

// Promotion says how the new version becomes stable at the end of a rollout.
type Promotion string

// The values of Promotion.
const (
	// PromotionAdoption is the default: the canary's own pods become pods of the
	// Deployment, and none starts a second time. Where that cannot be right, the
	// promotion is a rolling update, and an event says why.
	PromotionAdoption Promotion = "adoption"

	// PromotionRolling is the native rolling update of the Deployment.
	PromotionRolling Promotion = "rolling"
)

func parsePromotion(text string) (Promotion, error) {
	switch p := Promotion(text); p {
	case PromotionAdoption, PromotionRolling:
		return p, nil
	default:
		return "", wrong(text, "a promotion is adoption or rolling")
	}
}
