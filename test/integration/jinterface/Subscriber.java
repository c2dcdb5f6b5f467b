// A Java node, as JInterface makes one: links to a Rollcall, subscribes by an RPC of its own, and writes what comes.
// java -cp OtpErlang.jar Subscriber.java NAME COOKIE ROLLCALL
import com.ericsson.otp.erlang.OtpConnection;
import com.ericsson.otp.erlang.OtpErlangList;
import com.ericsson.otp.erlang.OtpPeer;
import com.ericsson.otp.erlang.OtpSelf;

public class Subscriber {
  public static void main(String[] arguments) throws Exception {
    OtpSelf self = new OtpSelf(arguments[0], arguments[1]);
    OtpConnection link = self.connect(new OtpPeer(arguments[2]));
    link.sendRPC("rollcall", "subscribe", new OtpErlangList(self.pid()));
    System.out.println("subscribed " + link.receiveRPC());
    while (true) System.out.println("event " + link.receive());
  }
}
