//! Seven applications with required, optional and repeated steps, branches and polling.

use super::flow::{Application, Requirement, Step};

/// All of them.
pub fn applications() -> Vec<Application> {
    vec![shop(), bank(), booking(), approval(), onboarding(), support(), pipeline()]
}

fn call(operation: &'static str) -> Step {
    Step::Call(operation)
}

fn in_order(steps: impl Into<Vec<Step>>) -> Step {
    Step::InOrder(steps.into())
}

fn maybe(share: f64, step: Step) -> Step {
    Step::Maybe(share, Box::new(step))
}

fn again(share: f64, most: usize, step: Step) -> Step {
    Step::Again(share, most, Box::new(step))
}

fn one_of(choices: impl Into<Vec<(f64, Step)>>) -> Step {
    Step::OneOf(choices.into())
}

fn needs(pairs: &[(&'static str, &'static str)]) -> Vec<Requirement> {
    pairs.iter().map(|(step, needs)| Requirement { step, needs }).collect()
}

fn shop() -> Application {
    let browse = again(
        0.6,
        6,
        one_of([
            (4.0, in_order([call("GET /items"), call("GET /items/{id}"), maybe(0.4, call("GET /items/{id}/reviews"))])),
            (2.0, in_order([call("GET /search"), call("GET /items/{id}")])),
            (1.0, call("GET /offers")),
        ]),
    );
    let fill = again(
        0.4,
        4,
        in_order([
            call("GET /items/{id}"),
            call("POST /cart/items"),
            call("GET /cart"),
            maybe(0.15, call("PATCH /cart/items/{id}")),
            maybe(0.1, call("DELETE /cart/items/{id}")),
        ]),
    );
    Application {
        name: "shop",
        flow: in_order([
            call("GET /"),
            maybe(0.3, call("GET /offers")),
            browse,
            fill,
            call("POST /login"),
            maybe(0.2, call("GET /account")),
            call("POST /checkout/address"),
            one_of([(3.0, call("POST /checkout/card")), (1.0, call("POST /checkout/invoice"))]),
            maybe(0.3, call("POST /checkout/voucher")),
            call("GET /checkout/summary"),
            call("POST /orders"),
            again(0.5, 5, call("GET /orders/{id}")),
            maybe(0.2, call("POST /logout")),
        ]),
        requirements: needs(&[
            ("GET /cart", "POST /cart/items"),
            ("POST /checkout/address", "POST /cart/items"),
            ("POST /checkout/address", "POST /login"),
            ("GET /checkout/summary", "POST /checkout/address"),
            ("POST /orders", "POST /cart/items"),
            ("POST /orders", "POST /login"),
            ("POST /orders", "GET /checkout/summary"),
        ]),
    }
}

fn bank() -> Application {
    let look = again(
        0.5,
        5,
        one_of([
            (3.0, in_order([call("GET /accounts"), call("GET /accounts/{id}/transactions")])),
            (1.0, call("GET /cards")),
            (1.0, in_order([call("GET /documents"), call("GET /documents/{id}")])),
        ]),
    );
    let transfer = in_order([
        call("GET /payees"),
        maybe(0.25, in_order([call("POST /payees"), call("POST /payees/{id}/confirm")])),
        call("POST /transfers"),
        call("GET /transfers/{id}/fees"),
        maybe(0.3, call("PATCH /transfers/{id}")),
        call("POST /transfers/{id}/challenge"),
        again(0.3, 3, call("GET /transfers/{id}/challenge")),
        call("POST /transfers/{id}/confirm"),
        call("GET /transfers/{id}"),
    ]);
    Application {
        name: "bank",
        flow: in_order([
            call("POST /session"),
            call("POST /session/second-factor"),
            Step::Together(vec!["GET /me", "GET /messages", "GET /accounts"]),
            look.clone(),
            maybe(0.8, again(0.3, 3, transfer)),
            maybe(0.3, look),
            maybe(0.6, call("DELETE /session")),
        ]),
        requirements: needs(&[
            ("POST /transfers", "GET /payees"),
            ("POST /transfers/{id}/challenge", "POST /transfers"),
            ("POST /transfers/{id}/confirm", "POST /transfers/{id}/challenge"),
            ("POST /transfers/{id}/confirm", "GET /transfers/{id}/fees"),
            ("POST /transfers", "POST /session/second-factor"),
        ]),
    }
}

fn booking() -> Application {
    let choose = again(
        0.4,
        4,
        in_order([
            call("GET /events"),
            call("GET /events/{id}"),
            maybe(0.3, call("GET /venues/{id}")),
            call("GET /events/{id}/seats"),
        ]),
    );
    Application {
        name: "booking",
        flow: in_order([
            maybe(0.5, call("GET /")),
            choose,
            call("POST /holds"),
            maybe(0.3, again(0.4, 3, call("PATCH /holds/{id}"))),
            one_of([(2.0, call("POST /sessions")), (1.0, call("POST /guests"))]),
            call("PUT /holds/{id}/attendees"),
            maybe(0.25, call("POST /holds/{id}/insurance")),
            call("GET /holds/{id}/price"),
            call("POST /payments"),
            again(0.6, 8, call("GET /payments/{id}")),
            call("POST /bookings"),
            call("GET /bookings/{id}"),
            maybe(0.6, call("GET /bookings/{id}/tickets")),
        ]),
        requirements: needs(&[
            ("POST /holds", "GET /events/{id}/seats"),
            ("POST /payments", "POST /holds"),
            ("POST /payments", "PUT /holds/{id}/attendees"),
            ("POST /bookings", "POST /payments"),
            ("POST /bookings", "POST /holds"),
            ("POST /bookings", "GET /holds/{id}/price"),
        ]),
    }
}

fn approval() -> Application {
    let edit = again(
        0.6,
        6,
        one_of([
            (3.0, in_order([call("PUT /documents/{id}/sections/{section}"), call("GET /documents/{id}/preview")])),
            (1.0, in_order([call("POST /documents/{id}/attachments"), call("GET /documents/{id}/attachments")])),
        ]),
    );
    let review = again(
        0.35,
        3,
        in_order([
            call("POST /documents/{id}/submit"),
            again(0.3, 3, call("GET /reviews/{id}")),
            call("GET /documents/{id}/diff"),
            maybe(0.4, call("POST /reviews/{id}/comments")),
            call("POST /reviews/{id}/vote"),
        ]),
    );
    Application {
        name: "approval",
        flow: in_order([
            call("POST /token"),
            call("GET /workspace"),
            one_of([(2.0, call("POST /documents")), (1.0, call("POST /documents/{id}/copy"))]),
            call("GET /documents/{id}"),
            call("POST /documents/{id}/lock"),
            edit,
            call("POST /documents/{id}/validate"),
            call("DELETE /documents/{id}/lock"),
            review,
            call("POST /documents/{id}/sign"),
            call("POST /documents/{id}/publish"),
            maybe(0.5, call("GET /documents/{id}/audit")),
        ]),
        requirements: needs(&[
            ("PUT /documents/{id}/sections/{section}", "POST /documents/{id}/lock"),
            ("POST /documents/{id}/submit", "POST /documents/{id}/validate"),
            ("POST /documents/{id}/sign", "POST /reviews/{id}/vote"),
            ("POST /documents/{id}/publish", "POST /documents/{id}/sign"),
            ("POST /documents/{id}/publish", "POST /documents/{id}/validate"),
            ("POST /documents/{id}/publish", "POST /documents/{id}/submit"),
        ]),
    }
}

fn onboarding() -> Application {
    Application {
        name: "onboarding",
        flow: in_order([
            call("GET /plans"),
            maybe(0.4, call("GET /plans/{id}")),
            call("POST /registrations"),
            again(0.4, 4, call("GET /registrations/{id}")),
            call("POST /registrations/{id}/verify-email"),
            maybe(0.3, call("POST /registrations/{id}/resend")),
            call("PUT /profile"),
            maybe(0.3, in_order([call("POST /profile/picture"), call("GET /profile")])),
            call("PUT /company"),
            again(0.5, 4, in_order([call("POST /documents"), call("GET /documents/{id}/status")])),
            call("POST /identity-checks"),
            again(0.6, 8, call("GET /identity-checks/{id}")),
            one_of([(3.0, call("POST /payment-methods/card")), (1.0, call("POST /payment-methods/debit"))]),
            call("POST /terms/accept"),
            call("POST /subscriptions"),
            call("GET /dashboard"),
            maybe(0.4, again(0.5, 4, call("POST /invitations"))),
        ]),
        requirements: needs(&[
            ("PUT /profile", "POST /registrations/{id}/verify-email"),
            ("POST /identity-checks", "POST /documents"),
            ("POST /subscriptions", "POST /identity-checks"),
            ("POST /subscriptions", "POST /terms/accept"),
            ("POST /subscriptions", "PUT /company"),
            ("GET /dashboard", "POST /registrations/{id}/verify-email"),
        ]),
    }
}

fn support() -> Application {
    let ticket = in_order([
        call("GET /queue"),
        call("POST /tickets/{id}/assign"),
        call("GET /tickets/{id}"),
        maybe(0.5, call("GET /customers/{id}")),
        maybe(0.3, call("GET /customers/{id}/orders")),
        again(
            0.4,
            4,
            one_of([
                (3.0, in_order([call("GET /articles"), call("POST /tickets/{id}/replies")])),
                (1.0, call("POST /tickets/{id}/notes")),
            ]),
        ),
        one_of([
            (
                1.0,
                in_order([
                    call("POST /refunds"),
                    call("POST /refunds/{id}/approval"),
                    again(0.4, 4, call("GET /refunds/{id}")),
                    call("POST /refunds/{id}/pay"),
                ]),
            ),
            (3.0, maybe(0.2, call("POST /tickets/{id}/escalate"))),
        ]),
        call("POST /tickets/{id}/resolve"),
        call("POST /tickets/{id}/survey"),
    ]);
    Application {
        name: "support",
        flow: in_order([
            call("POST /agents/login"),
            call("PUT /agents/me/status"),
            again(0.5, 4, ticket),
            maybe(0.5, call("GET /agents/me/statistics")),
            maybe(0.5, call("POST /agents/logout")),
        ]),
        requirements: needs(&[
            ("GET /tickets/{id}", "POST /tickets/{id}/assign"),
            ("POST /refunds/{id}/pay", "POST /refunds/{id}/approval"),
            ("POST /refunds/{id}/pay", "POST /refunds"),
            ("POST /tickets/{id}/resolve", "POST /tickets/{id}/assign"),
            ("POST /tickets/{id}/survey", "GET /tickets/{id}"),
        ]),
    }
}

fn pipeline() -> Application {
    let stage = |start, poll, finish| in_order([call(start), again(0.7, 10, call(poll)), call(finish)]);
    Application {
        name: "pipeline",
        flow: in_order([
            call("POST /webhooks/push"),
            call("POST /pipelines"),
            call("GET /pipelines/{id}/configuration"),
            maybe(0.5, call("GET /caches/{key}")),
            stage("POST /jobs/build", "GET /jobs/build/{id}", "POST /artifacts"),
            maybe(0.4, call("PUT /caches/{key}")),
            stage("POST /jobs/test", "GET /jobs/test/{id}", "POST /reports"),
            maybe(0.4, stage("POST /jobs/scan", "GET /jobs/scan/{id}", "POST /findings")),
            Step::Together(vec!["POST /statuses", "POST /notifications"]),
            maybe(
                0.7,
                in_order([
                    call("GET /artifacts/{id}"),
                    call("POST /releases"),
                    call("POST /releases/{id}/approve"),
                    call("POST /deployments"),
                    again(0.6, 8, call("GET /deployments/{id}")),
                    maybe(0.15, call("POST /deployments/{id}/rollback")),
                    call("PUT /environments/{name}"),
                ]),
            ),
        ]),
        requirements: needs(&[
            ("POST /jobs/test", "POST /artifacts"),
            ("POST /releases", "POST /reports"),
            ("POST /deployments", "POST /releases/{id}/approve"),
            ("POST /deployments", "POST /reports"),
            ("POST /deployments", "POST /jobs/test"),
            ("PUT /environments/{name}", "POST /deployments"),
        ]),
    }
}
