//! The five calls, answered from memory: KEDA's loop sets no deadline, so nothing here may wait.

use std::collections::HashMap;

use sluice_routing::GroupName;
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use super::{
    Ground,
    asked::Asked,
    feed::Frames,
    wire::{
        GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, IsActiveResponse, MetricSpec,
        MetricValue, ScaledObjectRef, external_scaler_server::ExternalScaler,
    },
};
use crate::queries::ledger::Demand;

/// The only metric.
const METRIC: &str = "demand";

/// The scaler that KEDA calls.
#[derive(Debug)]
pub(super) struct Scaler(pub(super) Ground);

#[tonic::async_trait]
impl ExternalScaler for Scaler {
    async fn is_active(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<IsActiveResponse>, Status> {
        let asked = self.asked(&request.get_ref().scaler_metadata)?;
        let told = self.told(&asked.group)?;
        let result = told.demand > asked.activation;
        if !result && !self.0.is_known(Instant::now()) {
            return Err(unknown());
        }
        Ok(Response::new(IsActiveResponse { result }))
    }

    type StreamIsActiveStream = Frames;

    async fn stream_is_active(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<Frames>, Status> {
        let asked = self.asked(&request.get_ref().scaler_metadata)?;
        Ok(Response::new(Frames::new(self.0.clone(), &asked)))
    }

    async fn get_metric_spec(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<GetMetricSpecResponse>, Status> {
        let target = self.asked(&request.get_ref().scaler_metadata)?.target;
        let spec = MetricSpec {
            metric_name: METRIC.to_owned(),
            target_size: rounded_up(target),
            target_size_float: target,
        };
        Ok(Response::new(GetMetricSpecResponse { metric_specs: vec![spec] }))
    }

    async fn get_metrics(
        &self,
        request: Request<GetMetricsRequest>,
    ) -> Result<Response<GetMetricsResponse>, Status> {
        let GetMetricsRequest { scaled_object_ref, metric_name } = request.into_inner();
        let asked = self.asked(&scaled_object_ref.unwrap_or_default().scaler_metadata)?;
        if metric_name != METRIC {
            let words = format!("there is one metric, `{METRIC}`, and another one was asked for");
            return Err(Status::invalid_argument(words));
        }
        let told = self.told(&asked.group)?;
        if told.demand == 0 && !self.0.is_known(Instant::now()) {
            return Err(unknown());
        }
        let value = MetricValue {
            metric_name,
            metric_value: i64::try_from(told.demand).unwrap_or(i64::MAX),
            metric_value_float: as_f64(told.demand),
        };
        Ok(Response::new(GetMetricsResponse { metric_values: vec![value] }))
    }

    type StreamMetricSpecStream = tokio_stream::Pending<Result<GetMetricSpecResponse, Status>>;

    async fn stream_metric_spec(
        &self,
        _: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamMetricSpecStream>, Status> {
        // It would have to be right at each moment: an empty one poisons the autoscaler. KEDA polls without it.
        Err(Status::unimplemented("the specification is told when it is asked for"))
    }
}

impl Scaler {
    fn asked(&self, metadata: &HashMap<String, String>) -> Result<Asked, Status> {
        self.0.metrics.scaler_asked();
        Asked::read(metadata, &self.0.current.load())
    }

    /// A replica that leaves would tell a share that shrinks while its queries go on elsewhere.
    fn told(&self, group: &GroupName) -> Result<Demand, Status> {
        if self.0.lifecycle.is_draining() {
            return Err(Status::unavailable("the gateway is leaving"));
        }
        Ok(self.0.demand(group, Instant::now()))
    }
}

fn unknown() -> Status {
    Status::unavailable("counts are not known yet, so soon after the start")
}

#[expect(clippy::cast_precision_loss, reason = "counts of queries stay far below 2^53")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, reason = "`asked` lets no number pass that is too big")]
fn rounded_up(target: f64) -> i64 {
    target.ceil() as i64
}
