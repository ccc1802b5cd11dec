import static io.gatling.javaapi.core.CoreDsl.*;
import static io.gatling.javaapi.http.HttpDsl.*;

import io.gatling.javaapi.core.ChainBuilder;
import io.gatling.javaapi.core.ScenarioBuilder;
import io.gatling.javaapi.core.Session;
import io.gatling.javaapi.core.Simulation;
import io.gatling.javaapi.http.HttpProtocolBuilder;
import io.gatling.javaapi.http.HttpRequestActionBuilder;
import java.time.Duration;
import java.util.function.Function;

/**
 * The guide's stress run, by the tool that the guide used, with strict checks: a read that does not find the user that was
 * created, or finds another name, is a failure. The newest Consistency-Token goes back with each request. Reads BASE_URL,
 * LOADTEST_USERS (5000) and LOADTEST_DURATION (120 s) from the environment, as `npm run loadtest` does.
 */
public class GuideSimulation extends Simulation {
  private static final String baseUrl = setting("BASE_URL", "http://127.0.0.1:8080");
  private static final int users = Integer.parseInt(setting("LOADTEST_USERS", "5000"));
  private static final int seconds = Integer.parseInt(setting("LOADTEST_DURATION", "120"));

  private static final Function<Session, String> names =
      session -> "{\"first_name\":\"Ada\",\"last_name\":\"Gatling %d\"}".formatted(session.userId());
  private static final Function<Session, String> newNames =
      session -> "{\"first_name\":\"Grace\",\"last_name\":\"Gatling %d\"}".formatted(session.userId());

  private final HttpProtocolBuilder protocol =
      http.baseUrl(baseUrl).acceptHeader("application/json").contentTypeHeader("application/json");

  private final ChainBuilder walk =
      exec(withToken(
              http("Create User").post("/api/v1/users").body(StringBody(names)).check(
                  status().is(201), jsonPath("$.id").saveAs("id"))))
          .exitHereIfFailed()
          .pause(Duration.ofMillis(100), Duration.ofMillis(500))
          .exec(withToken(http("Get All Users").get("/api/v1/users").check(
              status().is(200), jsonPath("$[0].id").exists())))
          .pause(Duration.ofMillis(50), Duration.ofMillis(200))
          .exec(withToken(http("Get User By ID").get("/api/v1/users/#{id}").check(
              status().is(200), jsonPath("$.first_name").is("Ada"))))
          .pause(Duration.ofMillis(50), Duration.ofMillis(200))
          .exec(withToken(http("Update User").put("/api/v1/users/#{id}").body(StringBody(newNames)).check(
              status().is(200), jsonPath("$.first_name").is("Grace"))))
          .pause(Duration.ofMillis(50), Duration.ofMillis(200))
          .exec(withToken(http("Delete User").delete("/api/v1/users/#{id}").check(status().is(204))));

  private final ScenarioBuilder scenario = scenario("Guide").exec(session -> session.set("token", "")).exec(walk);

  {
    setUp(
            scenario.injectOpen(
                rampUsers(users / 2).during(Math.max(1, seconds / 4)),
                constantUsersPerSec(users / 5.0).during(Math.max(1, seconds / 2)),
                rampUsers(users).during(Math.max(1, seconds / 4))))
        .protocols(protocol)
        .assertions(global().failedRequests().count().is(0L));
  }

  /** An empty header would be refused, so the first request has none. */
  private static HttpRequestActionBuilder withToken(HttpRequestActionBuilder request) {
    return request
        .sign((signed, session) -> {
          String token = session.getString("token");
          if (!token.isEmpty()) signed.getHeaders().set("Consistency-Token", token);
          return signed;
        })
        .check(header("Consistency-Token").saveAs("token"));
  }

  private static String setting(String name, String otherwise) {
    String value = System.getenv(name);
    return value == null || value.isEmpty() ? otherwise : value;
  }
}
